#include "server/decision/fnv.h"

#include <utility>

namespace vuf {

std::string Fnv::Hex() const {
  std::string digits(32, '0');
  Uint128 rest = state_;
  for (int i = 31; i >= 0; --i, rest >>= 4) {
    digits[i] = "0123456789abcdef"[static_cast<unsigned>(rest) & 15];
  }
  return digits;
}

FnvPiece::FnvPiece(std::string bytes)
    : bytes_(std::move(bytes)), known_(std::make_unique<std::array<Known, 256>>()) {
  Uint128 square = Fnv::kPrime;
  for (size_t n = bytes_.size(); n > 0; n >>= 1, square *= square) {
    if (n & 1) power_ *= square;
  }
}

Uint128 FnvPiece::From(unsigned char last) const {
  Known& slot = (*known_)[last];
  if (slot.known.load(std::memory_order_acquire)) {
    return (Uint128{slot.high.load(std::memory_order_relaxed)} << 64) +
           slot.low.load(std::memory_order_relaxed);
  }
  Fnv digest(last);
  digest.Add(bytes_);
  slot.high.store(static_cast<uint64_t>(digest.state() >> 64), std::memory_order_relaxed);
  slot.low.store(static_cast<uint64_t>(digest.state()), std::memory_order_relaxed);
  slot.known.store(true, std::memory_order_release);
  return digest.state();
}

void FnvPiece::AddTo(Fnv& digest) const {
  const Uint128 state = digest.state();
  const auto last = static_cast<unsigned char>(state);
  digest = Fnv((state - last) * power_ + From(last));
}

}  // namespace vuf
