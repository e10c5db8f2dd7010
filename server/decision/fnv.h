// FNV-1a with 128 bits: needs no library and never changes. Not a defence against an attacker; a
// migration is judged again on fresh facts whatever its fingerprint says.
#ifndef VUFD_SERVER_DECISION_FNV_H_
#define VUFD_SERVER_DECISION_FNV_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace vuf {

__extension__ using Uint128 = unsigned __int128;

class Fnv {
 public:
  Fnv() = default;
  explicit Fnv(Uint128 state) : state_(state) {}

  void Add(absl::string_view bytes) {
    Uint128 state = state_;
    for (const char byte : bytes) state = (state ^ static_cast<unsigned char>(byte)) * kPrime;
    state_ = state;
  }
  Uint128 state() const { return state_; }
  // 32 digits.
  std::string Hex() const;

  static constexpr Uint128 kPrime = (Uint128{1} << 88) + 0x13b;

 private:
  Uint128 state_ = (Uint128{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
};

// Bytes that are added to many digests. Adding takes as long as they are many the first time, and a
// few multiplications when it has been added behind the same last byte of a state before:
//
// What a byte b changes in a state s, (s ^ b) - s, depends on the last byte of s alone, and the
// last byte of (s ^ b) * prime on that, too. So for one last byte all that n bytes do is
// s -> s * prime^n + c. The 256 constants are kept as they are found.
class FnvPiece {
 public:
  explicit FnvPiece(std::string bytes);

  // May be called by several threads.
  void AddTo(Fnv& digest) const;

 private:
  // The state after the bytes when it was `last` before.
  Uint128 From(unsigned char last) const;

  struct Known {
    std::atomic<bool> known = false;
    // Whoever writes them writes the same.
    std::atomic<uint64_t> high = 0;
    std::atomic<uint64_t> low = 0;
  };

  std::string bytes_;
  Uint128 power_ = 1;
  std::unique_ptr<std::array<Known, 256>> known_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_FNV_H_
