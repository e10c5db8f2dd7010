// What a keeper writes into the migration stream in place of, or in front of, the back-end's state.
// docs/marker.md describes it byte by byte.
#ifndef VUFD_KEEPER_MARKER_H_
#define VUFD_KEEPER_MARKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "keeper/id.h"

namespace vuf::keeper {

inline constexpr size_t kMarkerSize = 128;
using MarkerBytes = std::array<uint8_t, kMarkerSize>;

// Longest permit; the field in the marker ends with at least one zero.
inline constexpr size_t kMaxPermit = 39;

enum class MarkerMode : uint32_t {
  kStateless = 0,  // nothing follows
  kStateful = 1,   // the back-end's own state follows
};

struct Marker {
  MarkerMode mode = MarkerMode::kStateless;
  Id instance = {};
  Id session = {};
  std::string permit;
  Id nonce = {};

  bool operator==(const Marker&) const = default;
};

// `marker.permit` must not be longer than kMaxPermit.
MarkerBytes Encode(const Marker& marker);

// Returns why `bytes` is no marker that this version reads; "" when it is and `out` was filled.
// A marker of a future version is refused, whatever else it says.
std::string Decode(const MarkerBytes& bytes, Marker& out);

// Returns what `presented` has that the marker `issued` has not, in words; "" when they are equal.
std::string Difference(const Marker& issued, const Marker& presented);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_MARKER_H_
