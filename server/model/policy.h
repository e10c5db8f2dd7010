// What policies say about one migration: the result of selecting and merging them (server/policy).
#ifndef VUFD_SERVER_MODEL_POLICY_H_
#define VUFD_SERVER_MODEL_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace vuf {

// A setting and who decided it: "migrationPolicies/{policy}@{revision}". The default says nothing.
template <typename T>
struct Setting {
  std::optional<T> value;
  std::string decided_by;
  bool operator==(const Setting&) const = default;
};

struct ModesAllowed {
  bool stateless = false;
  bool stateful = false;
  bool operator==(const ModesAllowed&) const = default;
};

struct DevicePolicy {
  // FsDeviceFacts::subject().
  std::string device;
  // Absent: no policy says anything, so nothing is allowed.
  Setting<ModesAllowed> modes;
  bool operator==(const DevicePolicy&) const = default;
};

struct PolicyHold {
  std::string policy;
  std::string holder;
  std::string reason;
  // Absent: until somebody takes it away.
  std::optional<absl::Time> until;
  bool operator==(const PolicyHold&) const = default;
};

// Whether a migration may begin now by the windows.
struct WindowState {
  bool open = false;
  // When it opened, or when the next one opens. Absent: never, as far as was looked.
  std::optional<absl::Time> opens;
  bool operator==(const WindowState&) const = default;
};

struct WarningRuling {
  std::string code;
  // False: hide it.
  bool refuse = true;
  std::string decided_by;
  bool operator==(const WarningRuling&) const = default;
};

// A limit on how many migrations of VMs that a policy matches run at a time.
struct ConcurrencyLimit {
  // Without the revision: the count goes on over changes of the policy.
  std::string policy;
  uint32_t limit = 0;
  // Others that run already.
  uint32_t running = 0;
  bool operator==(const ConcurrencyLimit&) const = default;
};

struct ConvergenceStep {
  absl::Duration after;
  // Both absent: give up.
  std::optional<absl::Duration> downtime_limit;
  std::optional<uint32_t> throttle_percent;
  bool operator==(const ConvergenceStep&) const = default;
};

// A blocker that somebody takes the responsibility for.
struct Accepted {
  // "acknowledgements/{acknowledgement}".
  std::string name;
  std::string code;
  // Empty: about any subject.
  std::string device;
  std::string author;
  std::string reason;
  absl::Time until = absl::InfinitePast();
  bool operator==(const Accepted&) const = default;
};

struct EffectivePolicy {
  // In order of precedence, with revisions.
  std::vector<std::string> matching;
  std::vector<DevicePolicy> devices;
  // Absent: no policy says anything, so nothing is allowed.
  Setting<bool> same_host;
  Setting<bool> other_host;
  // The setting is absent when no policy has windows: any time will do.
  Setting<WindowState> window;
  std::vector<PolicyHold> holds;
  std::vector<WarningRuling> warnings;
  std::vector<ConcurrencyLimit> limits;
  std::vector<Accepted> accepted;
  // For whoever carries it out.
  Setting<uint64_t> max_bandwidth;
  Setting<absl::Duration> max_downtime;
  Setting<absl::Duration> max_timeout;
  Setting<std::vector<ConvergenceStep>> convergence;
  bool operator==(const EffectivePolicy&) const = default;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_POLICY_H_
