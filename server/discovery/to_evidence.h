// What was asked for, or why it is not known, as evidence.
#ifndef VUFD_SERVER_DISCOVERY_TO_EVIDENCE_H_
#define VUFD_SERVER_DISCOVERY_TO_EVIDENCE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/model/evidence.h"

namespace vuf {

template <typename T>
Evidence<T> ToEvidence(absl::StatusOr<T> value, Source source, absl::Time at,
                       const std::string& detail) {
  if (!value.ok()) {
    return Unknown<T>(absl::StrCat(detail, ": ", value.status().message()), source);
  }
  return Known(*std::move(value), source, at, detail);
}

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_TO_EVIDENCE_H_
