// Reading the registry at the start.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/registry/compile_policies.h"
#include "server/registry/durable_registry.h"
#include "server/registry/records.h"

namespace vuf {
namespace {

template <typename T>
absl::Status Load(Store& store, Registry::Snapshot& snapshot) {
  const absl::StatusOr<std::vector<Record>> records = store.ReadAll(Kind<T>::kTable);
  if (!records.ok()) return records.status();
  std::map<std::string, T>& loaded = snapshot.*Kind<T>::kMap;
  for (const Record& record : *records) {
    T message;
    if (!message.ParseFromString(record.value) || message.name() != record.key) {
      return absl::DataLossError(absl::StrCat("the record \"", record.key, "\" of the ",
                                              Kind<T>::kPlural,
                                              " cannot be read; restore a backup of the state"));
    }
    loaded[record.key] = std::move(message);
  }
  return absl::OkStatus();
}

absl::Status AddShipped(std::vector<v1::BackEndProfile> shipped, Registry::Snapshot& snapshot) {
  std::map<std::string, v1::BackEndProfile> by_name;
  for (v1::BackEndProfile& profile : shipped) {
    profile.set_shipped(true);
    profile.set_etag("shipped");
    const std::string name = profile.name();
    if (!by_name.emplace(name, std::move(profile)).second) {
      return absl::InternalError(absl::StrCat("two shipped profiles are named ", name));
    }
  }
  for (auto& [name, profile] : by_name) {
    // An upgrade ships a name that the operator took before. What the operator said stays in
    // force: to replace it unasked could allow what it forbids.
    if (!snapshot.profiles.emplace(name, std::move(profile)).second) {
      Log(LogLevel::kWarning, "operator's profile hides the shipped one", {{"profile", name}});
    }
  }
  return absl::OkStatus();
}

absl::Status LoadRevisions(Store& store, Registry::Snapshot& snapshot) {
  const absl::StatusOr<std::vector<Record>> records = store.ReadAll(Table::kPolicyRevisions);
  if (!records.ok()) return records.status();
  for (const Record& record : *records) {
    v1::MigrationPolicy& policy = snapshot.policy_revisions[record.key];
    if (!policy.ParseFromString(record.value) ||
        Registry::RevisionKey(policy.name(), policy.revision()) != record.key) {
      return absl::DataLossError(absl::StrCat("the record \"", record.key,
                                              "\" of the revisions of migration policies cannot "
                                              "be read; restore a backup of the state"));
    }
  }
  return absl::OkStatus();
}

absl::Status LoadPolicies(Store& store, Registry::Snapshot& snapshot) {
  if (absl::Status s = Load<v1::MigrationPolicy>(store, snapshot); !s.ok()) return s;
  if (absl::Status s = Load<v1::Acknowledgement>(store, snapshot); !s.ok()) return s;
  if (absl::Status s = LoadRevisions(store, snapshot); !s.ok()) return s;
  const v1::MigrationPolicy shipped = ShippedPolicy();
  snapshot.policies.emplace(shipped.name(), shipped);
  snapshot.policy_set = CompilePolicies(snapshot);
  return absl::OkStatus();
}

}  // namespace

absl::Status DurableRegistry::Start(std::vector<v1::BackEndProfile> shipped) {
  auto snapshot = std::make_unique<Snapshot>();
  if (absl::Status s = Load<v1::Vm>(*store_, *snapshot); !s.ok()) return s;
  if (absl::Status s = Load<v1::Endpoint>(*store_, *snapshot); !s.ok()) return s;
  if (absl::Status s = Load<v1::BackEndProfile>(*store_, *snapshot); !s.ok()) return s;
  if (absl::Status s = AddShipped(std::move(shipped), *snapshot); !s.ok()) return s;
  if (absl::Status s = LoadPolicies(*store_, *snapshot); !s.ok()) return s;
  const absl::StatusOr<std::vector<Record>> requests = store_->ReadAll(Table::kRequests);
  if (!requests.ok()) return requests.status();
  if (absl::Status s = requests_.Load(*requests); !s.ok()) return s;
  // Revisions of an earlier run lie below: resuming from one is OUT_OF_RANGE, not a silent gap.
  snapshot->revision =
      static_cast<uint64_t>(std::max<int64_t>(1, absl::ToUnixMicros(clock_->Now())));
  {
    MutexLock lock(&mu_);
    history_begin_ = snapshot->revision;
    published_ = pool_.Publish(std::move(snapshot), {});
  }
  writer_ = std::thread([this] { WriterLoop(); });
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(Store* store, const Clock* clock,
                                                         std::vector<v1::BackEndProfile> shipped) {
  auto registry = std::make_unique<DurableRegistry>(store, clock);
  if (absl::Status s = registry->Start(std::move(shipped)); !s.ok()) return s;
  return absl::StatusOr<std::unique_ptr<Registry>>(std::move(registry));
}

}  // namespace vuf
