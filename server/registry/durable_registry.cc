#include "server/registry/durable_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/registry/compile_policies.h"

namespace vuf {
namespace {

constexpr size_t kMaxQueued = 4096;
// One durable commit for at most so many changes.
constexpr size_t kMaxBatch = 256;
constexpr size_t kHistory = 4096;
// Nobody waits longer without looking at the time again; the standard library's wait overflows
// with longer ones.
constexpr absl::Duration kLongestWait = absl::Hours(1);

absl::Status Stopping() { return absl::UnavailableError("vufd is stopping; nothing was changed"); }

}  // namespace

DurableRegistry::DurableRegistry(Store* store, const Clock* clock) : store_(store), clock_(clock) {}

DurableRegistry::~DurableRegistry() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    for (const auto& operation : queue_) {
      operation->status = Stopping();
      operation->state = Operation::State::kDone;
    }
    queue_.clear();
    changed_.NotifyAll();
  }
  if (writer_.joinable()) writer_.join();
  MutexLock lock(&mu_);
  while (callers_ > 0) changed_.WaitFor(&mu_, kLongestWait);
}

std::shared_ptr<const Registry::Snapshot> DurableRegistry::snapshot() const {
  MutexLock lock(&mu_);
  return published_;
}

absl::StatusOr<std::optional<std::string>> DurableRegistry::Replay(const RequestKey& key) const {
  return requests_.Find(key, clock_->Now());
}

absl::Status DurableRegistry::Submit(std::function<absl::Status(Transaction&)> run,
                                     absl::Time deadline) {
  // The deadline is the clock's, the waiting is real.
  const absl::Time give_up = absl::Now() + (deadline - clock_->Now());
  const auto operation = std::make_shared<Operation>();
  operation->run = std::move(run);
  MutexLock lock(&mu_);
  if (stopping_) return Stopping();
  if (queue_.size() >= kMaxQueued) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMaxQueued, " changes are waiting to be stored; try again later"));
  }
  queue_.push_back(operation);
  ++callers_;
  changed_.NotifyAll();
  absl::Status status = Await(*operation, give_up);
  if (--callers_ == 0) changed_.NotifyAll();
  return status;
}

absl::Status DurableRegistry::Await(Operation& operation, absl::Time give_up) {
  while (operation.state != Operation::State::kDone) {
    const absl::Duration left = give_up - absl::Now();
    if (left > absl::ZeroDuration()) {
      changed_.WaitFor(&mu_, std::min(left, kLongestWait));
      continue;
    }
    if (operation.state == Operation::State::kQueued) {
      queue_.erase(std::find_if(queue_.begin(), queue_.end(),
                                [&](const auto& queued) { return queued.get() == &operation; }));
      return absl::DeadlineExceededError(
          "the time was up before the change was begun; nothing was changed");
    }
    if (operation.state == Operation::State::kDecided) {
      return absl::DeadlineExceededError(
          "the time was up while the change was being stored; it may still happen: read the "
          "record, or repeat the request with the same request_id");
    }
    // kRunning: no I/O, so it is over in a moment.
    changed_.WaitFor(&mu_, absl::Milliseconds(10));
  }
  return operation.status;
}

template <typename T>
absl::StatusOr<T> DurableRegistry::SubmitFor(std::function<absl::StatusOr<T>(Transaction&)> run,
                                             absl::Time deadline) {
  absl::StatusOr<T> result;
  const absl::Status status = Submit(
      [&](Transaction& transaction) {
        result = run(transaction);
        return result.status();
      },
      deadline);
  if (!status.ok()) return status;
  return result;
}

void DurableRegistry::WriterLoop() {
  for (Batch batch = NextBatch(); !batch.empty(); batch = NextBatch()) RunBatch(batch);
}

DurableRegistry::Batch DurableRegistry::NextBatch() {
  MutexLock lock(&mu_);
  while (queue_.empty() && !stopping_) changed_.WaitFor(&mu_, kLongestWait);
  if (stopping_) return {};
  const auto end = queue_.begin() + static_cast<ptrdiff_t>(std::min(queue_.size(), kMaxBatch));
  Batch batch(queue_.begin(), end);
  queue_.erase(queue_.begin(), end);
  for (const auto& operation : batch) operation->state = Operation::State::kRunning;
  return batch;
}

void DurableRegistry::SetState(const Batch& batch, Operation::State state) {
  MutexLock lock(&mu_);
  for (const auto& operation : batch) operation->state = state;
  changed_.NotifyAll();
}

void DurableRegistry::RunBatch(const Batch& batch) {
  const std::shared_ptr<const Snapshot> current = snapshot();
  std::unique_ptr<Snapshot> working = pool_.Copy(*current);
  Transaction transaction(working.get(), &requests_, clock_->Now());
  for (const auto& operation : batch) operation->status = operation->run(transaction);
  const bool unchanged = working->revision == current->revision;
  SetState(batch, Operation::State::kDecided);
  if (unchanged) {
    pool_.Return(std::move(working));
    SetState(batch, Operation::State::kDone);
    return;
  }
  const absl::Status status = Commit(transaction, std::move(working));
  if (!status.ok()) {
    // Refusals too: they may have been refused for a change of this batch that now did not happen.
    for (const auto& operation : batch) operation->status = status;
  }
  SetState(batch, Operation::State::kDone);
  if (status.ok()) NotifySubscribers();
}

absl::Status DurableRegistry::Commit(Transaction& transaction, std::unique_ptr<Snapshot> working) {
  const std::vector<Change> changes = transaction.TakeChanges();
  if (absl::Status s = store_->Write(changes); !s.ok()) {
    return absl::Status(s.code(), absl::StrCat("the change was not stored: ", s.message()));
  }
  requests_.Commit(changes);
  if (ChangesPolicies(changes)) working->policy_set = CompilePolicies(*working);
  std::shared_ptr<const Snapshot> next = pool_.Publish(std::move(working), changes);
  MutexLock lock(&mu_);
  // The old one goes out of use with `next`, after the lock.
  published_.swap(next);
  for (EndpointChange& change : transaction.TakeEndpointChanges()) {
    history_.push_back(std::move(change));
  }
  while (history_.size() > kHistory) {
    history_begin_ = history_.front().revision;
    history_.pop_front();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Registry::EndpointChange>> DurableRegistry::EndpointChangesSince(
    uint64_t revision) const {
  MutexLock lock(&mu_);
  if (revision < history_begin_ || revision > published_->revision) {
    return absl::OutOfRangeError(
        absl::StrCat("revision ", revision, " is not among those remembered (", history_begin_,
                     " to ", published_->revision, "); start again without one"));
  }
  const auto first = std::upper_bound(
      history_.begin(), history_.end(), revision,
      [](uint64_t wanted, const EndpointChange& change) { return wanted < change.revision; });
  return std::vector<EndpointChange>(first, history_.end());
}

uint64_t DurableRegistry::Subscribe(std::function<void()> notify) {
  MutexLock lock(&subscribers_mu_);
  subscribers_[++last_subscriber_] = std::move(notify);
  return last_subscriber_;
}

void DurableRegistry::Unsubscribe(uint64_t id) {
  MutexLock lock(&subscribers_mu_);
  subscribers_.erase(id);
}

void DurableRegistry::NotifySubscribers() {
  MutexLock lock(&subscribers_mu_);
  for (const auto& [id, notify] : subscribers_) notify();
}

absl::StatusOr<v1::Vm> DurableRegistry::CreateVm(v1::Vm vm, const RequestKey& key,
                                                 absl::Time deadline) {
  return SubmitFor<v1::Vm>([&](Transaction& t) { return t.Create(vm, key); }, deadline);
}

absl::StatusOr<v1::Vm> DurableRegistry::UpdateVm(const std::string& name,
                                                 std::function<absl::Status(v1::Vm&)> change,
                                                 absl::Time deadline) {
  return SubmitFor<v1::Vm>([&](Transaction& t) { return t.Update(name, change); }, deadline);
}

absl::Status DurableRegistry::DeleteVm(const std::string& name, const std::string& etag,
                                       absl::Time deadline) {
  return Submit([&](Transaction& t) { return t.Delete<v1::Vm>(name, etag); }, deadline);
}

absl::StatusOr<v1::Endpoint> DurableRegistry::CreateEndpoint(v1::Endpoint endpoint,
                                                             const RequestKey& key,
                                                             absl::Time deadline) {
  return SubmitFor<v1::Endpoint>([&](Transaction& t) { return t.Create(endpoint, key); }, deadline);
}

absl::StatusOr<v1::Endpoint> DurableRegistry::UpdateEndpoint(
    const std::string& name, std::function<absl::Status(v1::Endpoint&)> change,
    absl::Time deadline) {
  return SubmitFor<v1::Endpoint>([&](Transaction& t) { return t.Update(name, change); }, deadline);
}

absl::Status DurableRegistry::DeleteEndpoint(const std::string& name, const std::string& etag,
                                             absl::Time deadline) {
  return Submit([&](Transaction& t) { return t.Delete<v1::Endpoint>(name, etag); }, deadline);
}

absl::StatusOr<v1::BackEndProfile> DurableRegistry::CreateProfile(v1::BackEndProfile profile,
                                                                  const RequestKey& key,
                                                                  absl::Time deadline) {
  return SubmitFor<v1::BackEndProfile>([&](Transaction& t) { return t.Create(profile, key); },
                                       deadline);
}

absl::Status DurableRegistry::DeleteProfile(const std::string& name, const std::string& etag,
                                            absl::Time deadline) {
  return Submit([&](Transaction& t) { return t.Delete<v1::BackEndProfile>(name, etag); }, deadline);
}

absl::StatusOr<v1::MigrationPolicy> DurableRegistry::CreatePolicy(v1::MigrationPolicy policy,
                                                                  const RequestKey& key,
                                                                  absl::Time deadline) {
  return SubmitFor<v1::MigrationPolicy>([&](Transaction& t) { return t.Create(policy, key); },
                                        deadline);
}

absl::StatusOr<v1::MigrationPolicy> DurableRegistry::UpdatePolicy(
    const std::string& name, std::function<absl::Status(v1::MigrationPolicy&)> change,
    absl::Time deadline) {
  return SubmitFor<v1::MigrationPolicy>([&](Transaction& t) { return t.Update(name, change); },
                                        deadline);
}

absl::Status DurableRegistry::DeletePolicy(const std::string& name, const std::string& etag,
                                           absl::Time deadline) {
  return Submit([&](Transaction& t) { return t.Delete<v1::MigrationPolicy>(name, etag); },
                deadline);
}

absl::Status DurableRegistry::ReplaceFilePolicies(const std::vector<v1::MigrationPolicy>& policies,
                                                  absl::Time deadline) {
  return Submit([&](Transaction& t) { return t.ReplaceFilePolicies(policies); }, deadline);
}

absl::StatusOr<v1::Acknowledgement> DurableRegistry::CreateAcknowledgement(
    v1::Acknowledgement acknowledgement, const RequestKey& key, absl::Time deadline) {
  return SubmitFor<v1::Acknowledgement>(
      [&](Transaction& t) { return t.Create(acknowledgement, key); }, deadline);
}

absl::Status DurableRegistry::DeleteAcknowledgement(const std::string& name,
                                                    const std::string& etag, absl::Time deadline) {
  return Submit([&](Transaction& t) { return t.Delete<v1::Acknowledgement>(name, etag); },
                deadline);
}

}  // namespace vuf
