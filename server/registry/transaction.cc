#include "server/registry/transaction.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

namespace vuf {
namespace {

template <typename T>
absl::Status CheckName(const std::string& name) {
  const absl::string_view prefix = Kind<T>::kPrefix;
  if (absl::StartsWith(name, prefix) && name.size() > prefix.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("name: \"", name, "\"; must be \"", prefix, "\" and an id"));
}

template <typename T>
absl::Status CheckRoom(const std::map<std::string, T>& records) {
  if (records.size() < Kind<T>::kLimit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("there are ", records.size(), " ",
                                                   Kind<T>::kPlural, "; the limit is ",
                                                   Kind<T>::kLimit, "; delete some first"));
}

absl::Status NotFound(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("\"", name, "\" is not registered"));
}

}  // namespace

absl::StatusOr<std::optional<std::string>> Transaction::Replay(const RequestKey& key) const {
  const auto it = answered_.find(RequestMemory::RecordKey(key));
  if (!key.request_id.empty() && it != answered_.end()) {
    return RequestMemory::Match(key, it->second);
  }
  return requests_.Find(key, now_);
}

void Transaction::Note(const v1::Endpoint& endpoint, bool deleted) {
  endpoint_changes_.push_back({++working_.revision, deleted, endpoint});
}

void Transaction::Note(const v1::Vm& vm, bool deleted) {
  ++working_.revision;
  if (!deleted) return;
  auto& all = working_.acknowledgements;
  for (auto it = all.begin(); it != all.end();) {
    if (it->second.vm() != vm.name()) {
      ++it;
      continue;
    }
    changes_.push_back({Table::kAcknowledgements, it->first, std::nullopt});
    it = all.erase(it);
  }
}

void Transaction::Note(const v1::MigrationPolicy& policy, bool deleted) {
  constexpr uint64_t kRevisionsKept = 20;
  ++working_.revision;
  auto& all = working_.policy_revisions;
  const uint64_t first = deleted
                             ? policy.revision() + 1
                             : policy.revision() - std::min(policy.revision(), kRevisionsKept) + 1;
  const auto end = all.lower_bound(Registry::RevisionKey(policy.name(), first));
  for (auto it = all.lower_bound(Registry::RevisionKey(policy.name(), 0)); it != end;) {
    changes_.push_back({Table::kPolicyRevisions, it->first, std::nullopt});
    it = all.erase(it);
  }
  if (deleted) return;
  const std::string key = Registry::RevisionKey(policy.name(), policy.revision());
  all[key] = policy;
  changes_.push_back({Table::kPolicyRevisions, key, policy.SerializeAsString()});
}

template <typename T>
void Transaction::Put(const T& record) {
  (working_.*Kind<T>::kMap)[record.name()] = record;
  changes_.push_back({Kind<T>::kTable, record.name(), record.SerializeAsString()});
  Note(record, /*deleted=*/false);
}

template <typename T>
void Transaction::Erase(const T& record) {
  std::map<std::string, T>& records = working_.*Kind<T>::kMap;
  changes_.push_back({Kind<T>::kTable, record.name(), std::nullopt});
  Note(record, /*deleted=*/true);
  records.erase(records.find(record.name()));
}

template <typename T>
absl::StatusOr<T> Transaction::Create(T record, const RequestKey& key) {
  const absl::StatusOr<std::optional<std::string>> earlier = Replay(key);
  if (!earlier.ok()) return earlier.status();
  if (earlier->has_value()) {
    T answer;
    if (answer.ParseFromString(**earlier)) return answer;
    return absl::DataLossError(
        absl::StrCat("the remembered answer to request \"", key.request_id, "\" is damaged"));
  }
  if (absl::Status s = CheckName<T>(record.name()); !s.ok()) return s;
  const std::map<std::string, T>& records = working_.*Kind<T>::kMap;
  if (records.count(record.name()) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("\"", record.name(), "\" is already registered"));
  }
  if (absl::Status s = CheckRoom(records); !s.ok()) return s;
  if (absl::Status s = CheckRecord(working_, record, nullptr); !s.ok()) return s;
  FillNew(now_, record);
  Put(record);
  if (!key.request_id.empty()) {
    std::string answer = record.SerializeAsString();
    answered_[RequestMemory::RecordKey(key)] = {key.arguments_digest, answer, now_};
    changes_.push_back(RequestMemory::Remember(key, std::move(answer), now_));
  }
  return record;
}

template <typename T>
absl::StatusOr<T> Transaction::Update(const std::string& name,
                                      const std::function<absl::Status(T&)>& change) {
  const std::map<std::string, T>& records = working_.*Kind<T>::kMap;
  const auto it = records.find(name);
  if (it == records.end()) return NotFound(name);
  const T& before = it->second;
  T after = before;
  if (absl::Status s = change(after); !s.ok()) return s;
  FillChanged(now_, before, after);
  if (google::protobuf::util::MessageDifferencer::Equals(before, after)) return after;
  if (absl::Status s = CheckRecord(working_, after, &before); !s.ok()) return s;
  Put(after);
  return after;
}

template <typename T>
absl::Status Transaction::Delete(const std::string& name, const std::string& etag) {
  const std::map<std::string, T>& records = working_.*Kind<T>::kMap;
  const auto it = records.find(name);
  if (it == records.end()) return NotFound(name);
  if (!etag.empty() && etag != it->second.etag()) {
    return absl::AbortedError(absl::StrCat("etag: \"", etag, "\" is not the present one of \"",
                                           name, "\" (\"", it->second.etag(),
                                           "\"): it was changed meanwhile; read it again"));
  }
  if (absl::Status s = CheckDelete(working_, it->second); !s.ok()) return s;
  Erase(it->second);
  return absl::OkStatus();
}

absl::Status Transaction::ReplaceFilePolicies(const std::vector<v1::MigrationPolicy>& policies) {
  Registry::Snapshot after;
  after.policies = WithFilePolicies(policies);
  if (after.policies.size() > Kind<v1::MigrationPolicy>::kLimit) {
    return CheckRoom(after.policies);
  }
  for (const v1::MigrationPolicy& policy : policies) {
    const auto before = working_.policies.find(policy.name());
    if (before != working_.policies.end() && !before->second.from_file()) {
      return absl::AlreadyExistsError(
          absl::StrCat(policy.name(),
                       " is already registered, and not from the policy_file; delete it, or give "
                       "the file's another name"));
    }
    if (absl::Status s = CheckRecord(after, policy, nullptr); !s.ok()) return s;
  }
  const std::map<std::string, v1::MigrationPolicy> before = working_.policies;
  for (const auto& [name, policy] : before) {
    if (after.policies.count(name) == 0) Erase(policy);
  }
  for (const auto& [name, policy] : after.policies) {
    const auto found = before.find(name);
    if (found == before.end() ||
        !google::protobuf::util::MessageDifferencer::Equals(found->second, policy)) {
      Put(policy);
    }
  }
  return absl::OkStatus();
}

std::map<std::string, v1::MigrationPolicy> Transaction::WithFilePolicies(
    const std::vector<v1::MigrationPolicy>& policies) const {
  std::map<std::string, v1::MigrationPolicy> all;
  for (const auto& [name, policy] : working_.policies) {
    if (!policy.from_file()) all.emplace(name, policy);
  }
  for (v1::MigrationPolicy policy : policies) {
    const auto before = working_.policies.find(policy.name());
    if (before == working_.policies.end()) {
      FillNew(now_, policy);
    } else {
      FillChanged(now_, before->second, policy);
    }
    policy.set_from_file(true);
    all[policy.name()] = std::move(policy);
  }
  return all;
}

std::vector<Change> Transaction::TakeChanges() {
  if (changes_.empty()) return {};
  std::vector<Change> all = requests_.Prune(now_, answered_.size());
  // After the deletions: an expired id that is used again is pruned and remembered anew.
  all.insert(all.end(), std::make_move_iterator(changes_.begin()),
             std::make_move_iterator(changes_.end()));
  return all;
}

template absl::StatusOr<v1::Vm> Transaction::Create(v1::Vm, const RequestKey&);
template absl::StatusOr<v1::Endpoint> Transaction::Create(v1::Endpoint, const RequestKey&);
template absl::StatusOr<v1::BackEndProfile> Transaction::Create(v1::BackEndProfile,
                                                                const RequestKey&);
template absl::StatusOr<v1::MigrationPolicy> Transaction::Create(v1::MigrationPolicy,
                                                                 const RequestKey&);
template absl::StatusOr<v1::Acknowledgement> Transaction::Create(v1::Acknowledgement,
                                                                 const RequestKey&);
template absl::StatusOr<v1::MigrationPolicy> Transaction::Update(
    const std::string&, const std::function<absl::Status(v1::MigrationPolicy&)>&);
template absl::Status Transaction::Delete<v1::MigrationPolicy>(const std::string&,
                                                               const std::string&);
template absl::Status Transaction::Delete<v1::Acknowledgement>(const std::string&,
                                                               const std::string&);
template absl::StatusOr<v1::Vm> Transaction::Update(const std::string&,
                                                    const std::function<absl::Status(v1::Vm&)>&);
template absl::StatusOr<v1::Endpoint> Transaction::Update(
    const std::string&, const std::function<absl::Status(v1::Endpoint&)>&);
template absl::Status Transaction::Delete<v1::Vm>(const std::string&, const std::string&);
template absl::Status Transaction::Delete<v1::Endpoint>(const std::string&, const std::string&);
template absl::Status Transaction::Delete<v1::BackEndProfile>(const std::string&,
                                                              const std::string&);

}  // namespace vuf
