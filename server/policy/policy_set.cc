#include "server/policy/policy_set.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "server/policy/kind_name.h"

namespace vuf {
namespace {

// No label's key contains a NUL.
std::string VmTerm(const std::string& vm) { return absl::StrCat("vm", std::string(1, '\0'), vm); }
std::string LabelTerm(const std::string& key, const std::string& value) {
  return absl::StrCat(key, std::string(1, '\0'), value);
}

bool HasAll(const Labels& wanted, const Labels* labels) {
  if (wanted.empty()) return true;
  if (labels == nullptr) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto it = labels->find(label.first);
    return it != labels->end() && it->second == label.second;
  });
}

bool MatchesVm(const Selector& selector, const PolicySubject& subject) {
  if (!selector.vms.empty() && selector.vms.count(subject.vm) == 0) return false;
  return HasAll(selector.vm_labels, subject.vm_labels);
}

bool MatchesVersion(const Selector& selector, const Evidence<Version>* version) {
  if (!selector.back_end_min_version.has_value() && !selector.back_end_version_limit.has_value()) {
    return true;
  }
  if (version == nullptr || !version->known()) return false;
  if (selector.back_end_min_version.has_value() &&
      *version->value < *selector.back_end_min_version) {
    return false;
  }
  return !selector.back_end_version_limit.has_value() ||
         *version->value < *selector.back_end_version_limit;
}

bool MatchesDevice(const Selector& selector, const PolicySubject::Device& device) {
  if (!HasAll(selector.endpoint_labels, device.endpoint_labels)) return false;
  if (!selector.back_end_kinds.empty()) {
    if (device.kind == nullptr || !device.kind->known()) return false;
    if (selector.back_end_kinds.count(KindName(*device.kind->value)) == 0) return false;
  }
  return MatchesVersion(selector, device.version);
}

// A policy about devices is one about the VM when it is about any of its devices.
bool MatchesAny(const Selector& selector, const PolicySubject& subject) {
  if (!selector.about_devices()) return true;
  return std::any_of(subject.devices.begin(), subject.devices.end(),
                     [&](const auto& device) { return MatchesDevice(selector, device); });
}

template <typename T>
void TakeFirst(const std::optional<T>& value, const Policy& policy, Setting<T>& setting) {
  if (!value.has_value() || setting.value.has_value()) return;
  setting = {value, policy.Ref()};
}

void MergeForVm(const Policy& policy, absl::Time now, EffectivePolicy& out) {
  TakeFirst(policy.same_host, policy, out.same_host);
  TakeFirst(policy.other_host, policy, out.other_host);
  TakeFirst(policy.max_bandwidth, policy, out.max_bandwidth);
  TakeFirst(policy.max_downtime, policy, out.max_downtime);
  TakeFirst(policy.max_timeout, policy, out.max_timeout);
  if (!policy.convergence.empty()) {
    TakeFirst(std::optional(policy.convergence), policy, out.convergence);
  }
  if (!policy.windows.empty() && !out.window.value.has_value()) {
    out.window = {StateOf(policy.windows, now), policy.Ref()};
  }
  if (policy.hold.has_value() && policy.hold->until.value_or(absl::InfiniteFuture()) > now) {
    out.holds.push_back(*policy.hold);
    out.holds.back().policy = policy.Ref();
  }
  if (policy.max_concurrent > 0) out.limits.push_back({policy.name, policy.max_concurrent, 0});
  for (const WarningRuling& ruling : policy.warnings) {
    const bool decided = std::any_of(out.warnings.begin(), out.warnings.end(),
                                     [&](const auto& other) { return other.code == ruling.code; });
    if (!decided) out.warnings.push_back({ruling.code, ruling.refuse, policy.Ref()});
  }
}

}  // namespace

std::string Policy::Ref() const { return absl::StrCat(name, "@", revision); }

PolicySet::PolicySet(std::vector<Policy> policies,
                     const std::vector<std::pair<std::string, Accepted>>& accepted)
    : policies_(std::move(policies)) {
  std::sort(policies_.begin(), policies_.end(), [](const Policy& a, const Policy& b) {
    return std::tie(b.priority, a.name) < std::tie(a.priority, b.name);
  });
  for (size_t i = 0; i < policies_.size(); ++i) {
    const Selector& selector = policies_[i].selector;
    if (policies_[i].shadow) {
      has_shadow_ = true;
      replaced_.insert(policies_[i].replaces);
    }
    if (!selector.vm_labels.empty()) {
      const auto& [key, value] = *selector.vm_labels.begin();
      index_[LabelTerm(key, value)].push_back(i);
    } else if (!selector.vms.empty()) {
      for (const std::string& vm : selector.vms) index_[VmTerm(vm)].push_back(i);
    } else {
      unindexed_.push_back(i);
    }
  }
  for (const auto& [vm, one] : accepted) accepted_[vm].push_back(one);
}

std::vector<size_t> PolicySet::MatchVm(const PolicySubject& subject) const {
  std::vector<size_t> found = unindexed_;
  const auto add = [&](const std::string& term) {
    const auto it = index_.find(term);
    if (it != index_.end()) found.insert(found.end(), it->second.begin(), it->second.end());
  };
  if (!index_.empty()) {
    add(VmTerm(subject.vm));
    if (subject.vm_labels != nullptr) {
      for (const auto& [key, value] : *subject.vm_labels) add(LabelTerm(key, value));
    }
  }
  found.erase(std::remove_if(found.begin(), found.end(),
                             [&](size_t i) { return !MatchesVm(policies_[i].selector, subject); }),
              found.end());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<const Policy*> PolicySet::Matching(const PolicySubject& subject,
                                               bool with_shadow) const {
  std::vector<const Policy*> matching;
  for (const size_t i : MatchVm(subject)) {
    const Policy& policy = policies_[i];
    if (policy.shadow && !with_shadow) continue;
    if (with_shadow && !policy.shadow && replaced_.count(policy.name) > 0) continue;
    if (MatchesAny(policy.selector, subject)) matching.push_back(&policy);
  }
  return matching;
}

EffectivePolicy PolicySet::Select(const PolicySubject& subject, absl::Time now) const {
  return Merge(Matching(subject, false), subject, now);
}

std::optional<EffectivePolicy> PolicySet::SelectShadow(const PolicySubject& subject,
                                                       absl::Time now) const {
  if (!has_shadow_) return std::nullopt;
  const std::vector<const Policy*> would_match = Matching(subject, true);
  if (would_match == Matching(subject, false)) return std::nullopt;
  return Merge(would_match, subject, now);
}

EffectivePolicy PolicySet::Merge(const std::vector<const Policy*>& matching,
                                 const PolicySubject& subject, absl::Time now) const {
  EffectivePolicy out;
  out.devices.reserve(subject.devices.size());
  for (const PolicySubject::Device& device : subject.devices) {
    out.devices.push_back({device.name, {}});
  }
  for (const Policy* const policy : matching) {
    out.matching.push_back(policy->Ref());
    MergeForVm(*policy, now, out);
    if (!policy->modes.has_value()) continue;
    for (size_t i = 0; i < out.devices.size(); ++i) {
      if (!MatchesDevice(policy->selector, subject.devices[i])) continue;
      TakeFirst(policy->modes, *policy, out.devices[i].modes);
    }
  }
  const auto accepted = accepted_.find(subject.vm);
  if (accepted == accepted_.end()) return out;
  for (const Accepted& one : accepted->second) {
    if (one.until > now) out.accepted.push_back(one);
  }
  return out;
}

}  // namespace vuf
