#include "keeper/marker.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace vuf::keeper {
namespace {

constexpr char kMagic[8] = {'V', 'U', 'F', 'K', 'E', 'E', 'P', '\0'};
constexpr uint32_t kMarkerVersion = 1;

// Offsets; see docs/marker.md.
constexpr size_t kVersionAt = 8;
constexpr size_t kModeAt = 12;
constexpr size_t kInstanceAt = 16;
constexpr size_t kSessionAt = 32;
constexpr size_t kPermitAt = 48;
constexpr size_t kNonceAt = 88;
constexpr size_t kReservedAt = 104;
constexpr size_t kChecksumAt = 124;

void Put32(uint32_t value, uint8_t* to) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint32_t Get32(const uint8_t* from) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= static_cast<uint32_t>(from[i]) << (8 * i);
  return value;
}

uint32_t Checksum(const MarkerBytes& bytes) {
  return static_cast<uint32_t>(crc32(0, bytes.data(), kChecksumAt));
}

template <size_t kSize>
void GetBytes(const MarkerBytes& from, size_t at, std::array<uint8_t, kSize>& to) {
  std::copy_n(from.begin() + at, kSize, to.begin());
}

// "" when there is none. It stands in log lines and answers, so it must be text.
std::string GetPermit(const MarkerBytes& bytes) {
  const char* const field = reinterpret_cast<const char*>(&bytes[kPermitAt]);
  const std::string permit(field, strnlen(field, kNonceAt - kPermitAt));
  const bool text =
      std::all_of(permit.begin(), permit.end(), [](char c) { return c >= ' ' && c <= '~'; });
  const bool padded = std::all_of(field + permit.size(), field + (kNonceAt - kPermitAt),
                                  [](char c) { return c == 0; });
  return text && padded && permit.size() <= kMaxPermit ? permit : "";
}

}  // namespace

MarkerBytes Encode(const Marker& marker) {
  MarkerBytes out = {};
  memcpy(out.data(), kMagic, sizeof kMagic);
  Put32(kMarkerVersion, &out[kVersionAt]);
  Put32(static_cast<uint32_t>(marker.mode), &out[kModeAt]);
  std::copy(marker.instance.begin(), marker.instance.end(), out.begin() + kInstanceAt);
  std::copy(marker.session.begin(), marker.session.end(), out.begin() + kSessionAt);
  std::copy_n(marker.permit.begin(), std::min(marker.permit.size(), kMaxPermit),
              out.begin() + kPermitAt);
  std::copy(marker.nonce.begin(), marker.nonce.end(), out.begin() + kNonceAt);
  Put32(Checksum(out), &out[kChecksumAt]);
  return out;
}

std::string Decode(const MarkerBytes& bytes, Marker& out) {
  if (memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) {
    return "what came is no marker of a vuf-keeper (a plain back-end's state?)";
  }
  const uint32_t version = Get32(&bytes[kVersionAt]);
  if (version != kMarkerVersion) {
    return "the marker has version " + std::to_string(version) +
           "; this vuf-keeper reads version " + std::to_string(kMarkerVersion);
  }
  if (Get32(&bytes[kChecksumAt]) != Checksum(bytes)) return "the marker's checksum is wrong";
  const uint32_t mode = Get32(&bytes[kModeAt]);
  if (mode > static_cast<uint32_t>(MarkerMode::kStateful)) {
    return "the marker has the unknown mode " + std::to_string(mode);
  }
  if (std::any_of(bytes.begin() + kReservedAt, bytes.begin() + kChecksumAt,
                  [](uint8_t byte) { return byte != 0; })) {
    return "the marker's reserved bytes are not zero";
  }
  const std::string permit = GetPermit(bytes);
  if (permit.empty()) return "the marker names no permit";
  out.mode = static_cast<MarkerMode>(mode);
  GetBytes(bytes, kInstanceAt, out.instance);
  GetBytes(bytes, kSessionAt, out.session);
  out.permit = permit;
  GetBytes(bytes, kNonceAt, out.nonce);
  return "";
}

std::string Difference(const Marker& issued, const Marker& presented) {
  if (presented.mode != issued.mode) return "the marker is of the other mode";
  if (presented.instance != issued.instance) {
    return "the marker is of another vuf-keeper (instance " + ToHex(presented.instance) +
           "): another endpoint, another host, or one that was restarted";
  }
  if (presented.session != issued.session) {
    return "the marker is of another session (" + ToHex(presented.session) + ") of this vuf-keeper";
  }
  if (presented.permit != issued.permit) {
    return "the marker was written for another migration (permit " + presented.permit + ")";
  }
  if (presented.nonce != issued.nonce) return "the marker is an old one of this migration";
  return "";
}

}  // namespace vuf::keeper
