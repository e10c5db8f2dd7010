// What several fuzzers need.
#ifndef VUFD_TESTS_FUZZ_FUZZ_H_
#define VUFD_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace vuf {

// What does not hold is a finding.
inline void Require(bool condition) {
  if (!condition) std::abort();
}

// The input as changes to bytes that are good, three of it each: where, and what. From nothing a
// fuzzer would not find its way to a whole message.
inline std::string Damaged(std::string good, const uint8_t* data, size_t size) {
  for (; size >= 3; data += 3, size -= 3) {
    const size_t at = (size_t{data[0]} << 8 | data[1]) % good.size();
    good[at] = static_cast<char>(data[2]);
  }
  return good;
}

}  // namespace vuf

#endif  // VUFD_TESTS_FUZZ_FUZZ_H_
