// What the decision says. The zero value of everything here refuses.
#ifndef VUFD_SERVER_MODEL_VERDICT_H_
#define VUFD_SERVER_MODEL_VERDICT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/model/evidence.h"

namespace vuf {

// Ordered from weakest to strongest, so that a VM's mode is the minimum over its devices.
enum class Mode { kNone = 0, kStateful = 1, kStateless = 2 };

enum class Severity { kBlocker = 0, kWarning = 1 };
enum class Side { kNone = 0, kSource = 1, kDestination = 2 };
enum class RetryClass { kPermanent = 0, kWait = 1, kOperator = 2 };

// A fact that a finding rests on, as text.
struct CitedFact {
  std::string fact;
  std::string value;
  bool unknown = true;
  Source source = Source::kNobody;
  absl::Time observed_at = absl::InfinitePast();
  std::string detail;
  bool operator==(const CitedFact&) const = default;
};

struct Finding {
  // Stable, e.g. "BACK_END_LACKS_DEVICE_STATE".
  std::string code;
  Severity severity = Severity::kBlocker;
  Side side = Side::kNone;
  // A device's subject(), "vm", "host" or "request".
  std::string subject;
  std::string message;
  std::string remedy;
  RetryClass retry_class = RetryClass::kPermanent;
  std::vector<CitedFact> evidence;
};

struct DeviceVerdict {
  std::string device;
  std::string tag;
  Mode mode = Mode::kNone;
  std::string socket_path;
};

// The verdict as it would be with the shadow policies, against the real one.
struct ShadowVerdict {
  bool allow = false;
  Mode mode = Mode::kNone;
  // "CODE (subject)".
  std::vector<std::string> added_blockers;
  std::vector<std::string> removed_blockers;
  std::vector<std::string> policies;
  bool operator==(const ShadowVerdict&) const = default;
};

struct Verdict {
  bool allow = false;
  Mode mode = Mode::kNone;
  std::vector<DeviceVerdict> devices;
  std::vector<Finding> blockers;
  std::vector<Finding> warnings;
  absl::Time evaluated_at = absl::InfinitePast();
  std::string fingerprint;
  // Policies that took part, in order of precedence, with revisions.
  std::vector<std::string> policies;
  std::optional<ShadowVerdict> shadow;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_VERDICT_H_
