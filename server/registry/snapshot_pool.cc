#include "server/registry/snapshot_pool.h"

#include <utility>

namespace vuf {
namespace {

constexpr size_t kSteps = 64;

template <typename T>
void CopyEntry(const std::map<std::string, T>& from, const std::string& key,
               std::map<std::string, T>& to) {
  const auto it = from.find(key);
  if (it == from.end()) {
    to.erase(key);
  } else {
    to[key] = it->second;
  }
}

}  // namespace

bool SnapshotPool::CatchUp(const Registry::Snapshot& current, Registry::Snapshot& old) const {
  if (old.revision < reaches_back_to_) return false;
  for (const Step& step : steps_) {
    if (step.revision <= old.revision) continue;
    for (const auto& [table, key] : step.keys) {
      if (table == Table::kVms) CopyEntry(current.vms, key, old.vms);
      if (table == Table::kEndpoints) CopyEntry(current.endpoints, key, old.endpoints);
      if (table == Table::kProfiles) CopyEntry(current.profiles, key, old.profiles);
      if (table == Table::kPolicies) CopyEntry(current.policies, key, old.policies);
      if (table == Table::kPolicyRevisions) {
        CopyEntry(current.policy_revisions, key, old.policy_revisions);
      }
      if (table == Table::kAcknowledgements) {
        CopyEntry(current.acknowledgements, key, old.acknowledgements);
      }
    }
  }
  old.policy_set = current.policy_set;
  old.revision = current.revision;
  return true;
}

std::unique_ptr<Registry::Snapshot> SnapshotPool::Copy(const Registry::Snapshot& current) {
  std::unique_ptr<Registry::Snapshot> old;
  {
    MutexLock lock(&returned_->mu);
    old = std::move(returned_->snapshot);
  }
  if (old != nullptr && CatchUp(current, *old)) return old;
  return std::make_unique<Registry::Snapshot>(current);
}

std::shared_ptr<const Registry::Snapshot> SnapshotPool::Publish(
    std::unique_ptr<Registry::Snapshot> next, const std::vector<Change>& changes) {
  Step step{next->revision, {}};
  for (const Change& change : changes) step.keys.emplace_back(change.table, change.key);
  steps_.push_back(std::move(step));
  if (steps_.size() > kSteps) steps_.pop_front();
  // Whatever has the revision of the oldest step already has that step.
  reaches_back_to_ = steps_.front().revision;
  return {next.release(), [returned = returned_](const Registry::Snapshot* snapshot) {
            returned->Offer(
                std::unique_ptr<Registry::Snapshot>(const_cast<Registry::Snapshot*>(snapshot)));
          }};
}

}  // namespace vuf
