#include "server/service/batch.h"

#include <algorithm>
#include <atomic>
#include <future>

#include "absl/strings/str_cat.h"
#include "server/service/find_vm.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

// Monitors asked at a time, so that a batch leaves room for other calls.
constexpr size_t kThreads = 4;
// Well below the age at which evidence is stale.
constexpr absl::Duration kDestinationAge = absl::Seconds(3);

}  // namespace

absl::StatusOr<std::vector<v1::Vm>> VmsOf(
    const Registry& registry, const google::protobuf::RepeatedPtrField<std::string>& names) {
  const std::shared_ptr<const Registry::Snapshot> snapshot = registry.snapshot();
  std::vector<v1::Vm> vms;
  if (names.empty()) {
    for (const auto& [name, vm] : snapshot->vms) vms.push_back(vm);
  }
  for (int i = 0; i < names.size(); ++i) {
    const std::string field = absl::StrCat("vms[", i, "]");
    const absl::StatusOr<const v1::Vm*> found = FindVm(*snapshot, field, names.Get(i));
    if (!found.ok()) return found.status();
    vms.push_back(**found);
  }
  if (vms.size() <= kMaxBatchVms) return vms;
  return InvalidField("vms", absl::StrCat(vms.size(), " VMs"),
                      absl::StrCat("at most ", kMaxBatchVms, "; name some of them"));
}

DestinationCache::Entry DestinationCache::Find(const std::string& qmp_socket) const {
  MutexLock lock(&mu_);
  const auto it = entries_.find(qmp_socket);
  return it == entries_.end() ? Entry() : it->second;
}

void DestinationCache::Keep(const std::string& qmp_socket, Entry entry) {
  MutexLock lock(&mu_);
  entries_[qmp_socket] = std::move(entry);
}

std::shared_ptr<const PreparedDestination> DestinationCache::Get(const std::string& qmp_socket,
                                                                 const PreparedSource& source,
                                                                 absl::Time deadline) {
  Entry entry = Find(qmp_socket);
  const absl::Time now = clock_->Now();
  const bool fresh = entry.facts != nullptr && now - entry.observed_at < kDestinationAge;
  if (fresh && entry.prepared->HoldsFor(source, now)) return entry.prepared;
  // Two threads may both ask; the monitor takes them one after the other.
  if (!fresh) {
    entry.observed_at = now;
    entry.facts = std::make_shared<const VmFacts>(gatherer_->ObserveVm(qmp_socket, deadline));
  }
  entry.prepared = std::make_shared<const PreparedDestination>(entry.facts, source, clock_->Now());
  Keep(qmp_socket, entry);
  return entry.prepared;
}

const PreparedSource& BatchSource::For(const Request& request, absl::Time now) {
  if (prepared_ != nullptr && prepared_->facts().request == request && prepared_->HoldsAt(now)) {
    return *prepared_;
  }
  auto facts = prepared_ == nullptr ? std::make_shared<Facts>(std::move(facts_))
                                    : std::make_shared<Facts>(prepared_->facts());
  facts->request = request;
  facts->now = now;
  prepared_ = std::make_unique<const PreparedSource>(std::move(facts));
  return *prepared_;
}

Facts GatherSource(const ServiceDeps& deps, const v1::Vm& vm, const Request& request,
                   absl::Time deadline) {
  GatherRequest gather;
  gather.vm = vm.name();
  gather.source_socket = vm.qmp_socket();
  gather.request = request;
  gather.request.has_destination = false;
  gather.running_migration = deps.migrator->RunningMigrationOf(vm.name());
  Facts facts = deps.gatherer->Gather(gather, deadline).facts;
  deps.migrator->CountRunning(facts.policy.value->limits);
  return facts;
}

void SetDestination(const Request& request, const VmFacts* destination, absl::Time now,
                    Facts& facts) {
  facts.request = request;
  facts.now = now;
  if (destination == nullptr) {
    facts.destination.reset();
  } else {
    facts.destination = *destination;
  }
}

void InParallel(size_t count, const std::function<bool(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> stop = false;
  const auto loop = [&] {
    for (size_t i = next++; i < count && !stop; i = next++) {
      if (!work(i)) stop = true;
    }
  };
  std::vector<std::future<void>> others;
  for (size_t i = 1; i < std::min(kThreads, count); ++i) {
    others.push_back(std::async(std::launch::async, loop));
  }
  loop();
}

}  // namespace vuf
