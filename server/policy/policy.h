// A policy as the operator wrote it, ready to be matched.
#ifndef VUFD_SERVER_POLICY_POLICY_H_
#define VUFD_SERVER_POLICY_POLICY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/model/policy.h"
#include "server/model/version.h"

namespace vuf {

using Labels = std::map<std::string, std::string>;

// Every term that is there must match.
struct Selector {
  std::set<std::string> vms;
  Labels vm_labels;
  Labels endpoint_labels;
  std::set<std::string> back_end_kinds;
  std::optional<Version> back_end_min_version;
  std::optional<Version> back_end_version_limit;

  // Says something about devices, not only about the VM.
  bool about_devices() const {
    return !endpoint_labels.empty() || !back_end_kinds.empty() ||
           back_end_min_version.has_value() || back_end_version_limit.has_value();
  }
};

struct Window {
  // 1 = Monday to 7 = Sunday; empty: every day.
  std::set<int> days;
  // Since midnight.
  absl::Duration start;
  absl::Duration duration;
  absl::TimeZone zone = absl::UTCTimeZone();
};

// Whether any window is open, and if not, when the first one opens.
WindowState StateOf(const std::vector<Window>& windows, absl::Time now);

struct Policy {
  std::string name;
  uint64_t revision = 0;
  int priority = 0;
  Selector selector;
  std::optional<ModesAllowed> modes;
  std::optional<bool> same_host;
  std::optional<bool> other_host;
  std::optional<uint64_t> max_bandwidth;
  std::optional<absl::Duration> max_downtime;
  std::optional<absl::Duration> max_timeout;
  std::vector<ConvergenceStep> convergence;
  uint32_t max_concurrent = 0;
  std::vector<Window> windows;
  // `policy` is not set.
  std::optional<PolicyHold> hold;
  // `decided_by` is not set.
  std::vector<WarningRuling> warnings;
  bool shadow = false;
  // Of a shadow policy: the name of the policy that it would replace.
  std::string replaces;

  std::string Ref() const;
};

}  // namespace vuf

#endif  // VUFD_SERVER_POLICY_POLICY_H_
