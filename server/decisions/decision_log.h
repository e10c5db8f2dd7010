// The port to the log of decisions: each with everything it rests on (proto/vuf/v1/decision.proto).
#ifndef VUFD_SERVER_DECISIONS_DECISION_LOG_H_
#define VUFD_SERVER_DECISIONS_DECISION_LOG_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vuf/v1/decision.pb.h"

namespace vuf {

// Thread-safe.
class DecisionLog {
 public:
  virtual ~DecisionLog() = default;

  // Both give the record its name, which the verdict in it then has too, and its time.
  //
  // Readable at once and on the disk later, if nothing goes wrong until then. Waits for nothing.
  virtual void Add(v1::DecisionRecord& record) = 0;
  // On the disk when it returns OK, and only then readable. The record has no name after an error.
  virtual absl::Status AddDurably(v1::DecisionRecord& record) = 0;

  // NOT_FOUND: there is none, or not any more.
  virtual absl::StatusOr<v1::DecisionRecord> Get(const std::string& name) const = 0;
  // In short (InShort), newest first; of one VM unless `vm` is empty. Shared, so that a long list
  // is no burden to whoever adds to it meanwhile.
  using Shared = std::shared_ptr<const v1::DecisionRecord>;
  virtual std::vector<Shared> List(const std::string& vm) const = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_DECISION_LOG_H_
