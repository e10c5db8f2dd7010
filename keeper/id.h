// 128 random bits that name a thing: a run of the keeper, a session, one hand-over.
#ifndef VUFD_KEEPER_ID_H_
#define VUFD_KEEPER_ID_H_

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace vuf::keeper {

using Id = std::array<uint8_t, 16>;

// Without randomness nothing here is safe, so there is no going on without it.
inline Id RandomId() {
  Id id;
  if (getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) abort();
  return id;
}

// 32 hexadecimal digits.
inline std::string ToHex(const Id& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : id) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_ID_H_
