// Evidence: a value, who said so, and when. A value that is absent is unknown, and unknown refuses.
#ifndef VUFD_SERVER_MODEL_EVIDENCE_H_
#define VUFD_SERVER_MODEL_EVIDENCE_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace vuf {

// Mirrors vuf.v1.EvidenceSource.
enum class Source {
  kNobody = 0,
  kQmp,
  kProcfs,
  kSockDiag,
  kBackEndExecutable,
  kProfile,
  kRegistry,
  kRequest,
  kFileSystem,
  kPeer,
};

template <typename T>
struct Evidence {
  // Absent: unknown; `detail` then says why.
  std::optional<T> value;
  Source source = Source::kNobody;
  absl::Time observed_at = absl::InfinitePast();
  // The process, the path or QEMU's own words.
  std::string detail;

  bool known() const { return value.has_value(); }
  bool operator==(const Evidence&) const = default;
};

template <typename T>
Evidence<T> Known(T value, Source source, absl::Time at, std::string detail = "") {
  return {std::move(value), source, at, std::move(detail)};
}

template <typename T>
Evidence<T> Unknown(std::string why, Source source = Source::kNobody) {
  return {std::nullopt, source, absl::InfinitePast(), std::move(why)};
}

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_EVIDENCE_H_
