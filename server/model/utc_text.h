// A time as everybody reads it.
#ifndef VUFD_SERVER_MODEL_UTC_TEXT_H_
#define VUFD_SERVER_MODEL_UTC_TEXT_H_

#include <string>

#include "absl/time/time.h"

namespace vuf {

// RFC 3339, in UTC, to the second: "2026-11-24T09:00:00+00:00".
inline std::string UtcText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_UTC_TEXT_H_
