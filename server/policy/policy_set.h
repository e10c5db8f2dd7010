// All policies of the host, compiled for matching. Immutable and pure: no I/O, no clock, no lock.
#ifndef VUFD_SERVER_POLICY_POLICY_SET_H_
#define VUFD_SERVER_POLICY_POLICY_SET_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/model/back_end.h"
#include "server/model/evidence.h"
#include "server/model/policy.h"
#include "server/policy/policy.h"

namespace vuf {

// What policies are matched against.
struct PolicySubject {
  struct Device {
    std::string name;
    // Null: its endpoint is not registered.
    const Labels* endpoint_labels = nullptr;
    // Unknown ones match no selector that asks for them; the decision refuses them anyway.
    const Evidence<BackEndKind>* kind = nullptr;
    const Evidence<Version>* version = nullptr;
  };
  std::string vm;
  const Labels* vm_labels = nullptr;
  std::vector<Device> devices;
};

class PolicySet {
 public:
  PolicySet() = default;
  // `accepted`: each with its VM.
  PolicySet(std::vector<Policy> policies,
            const std::vector<std::pair<std::string, Accepted>>& accepted);

  // The policies in force, merged. `now` decides about windows, holds and acknowledgements.
  EffectivePolicy Select(const PolicySubject& subject, absl::Time now) const;
  // The same with the shadow policies, each in the place of the one it replaces; nothing when that
  // makes no difference to what matches.
  std::optional<EffectivePolicy> SelectShadow(const PolicySubject& subject, absl::Time now) const;

 private:
  // Indexes into `policies_`, in order of precedence, of those whose VM terms match.
  std::vector<size_t> MatchVm(const PolicySubject& subject) const;
  EffectivePolicy Merge(const std::vector<const Policy*>& matching, const PolicySubject& subject,
                        absl::Time now) const;
  // Of those that match: the ones in force or, with shadow, the ones that would be.
  std::vector<const Policy*> Matching(const PolicySubject& subject, bool with_shadow) const;

  // In order of precedence.
  std::vector<Policy> policies_;
  // By one term that a VM must meet ("vm\0NAME" or "KEY\0VALUE"), so that a thousand policies need
  // not be looked at; the others are in `unindexed_`.
  absl::flat_hash_map<std::string, std::vector<size_t>> index_;
  std::vector<size_t> unindexed_;
  bool has_shadow_ = false;
  // What the shadow policies would replace.
  std::set<std::string> replaced_;
  // By VM.
  std::map<std::string, std::vector<Accepted>> accepted_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_POLICY_POLICY_SET_H_
