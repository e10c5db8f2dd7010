// The registry over a store.
#ifndef VUFD_SERVER_REGISTRY_DURABLE_REGISTRY_H_
#define VUFD_SERVER_REGISTRY_DURABLE_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/registry/registry.h"
#include "server/registry/request_memory.h"
#include "server/registry/snapshot_pool.h"
#include "server/registry/transaction.h"
#include "server/store/store.h"

namespace vuf {

class DurableRegistry : public Registry {
 public:
  DurableRegistry(Store* store, const Clock* clock);
  // Lets the batch that is being written finish; whoever still waits gets UNAVAILABLE.
  ~DurableRegistry() override;

  // Reads everything and starts the writer. Once, before anything else.
  absl::Status Start(std::vector<v1::BackEndProfile> shipped);

  std::shared_ptr<const Snapshot> snapshot() const override;
  absl::StatusOr<std::optional<std::string>> Replay(const RequestKey& key) const override;
  absl::StatusOr<v1::Vm> CreateVm(v1::Vm vm, const RequestKey& key, absl::Time deadline) override;
  absl::StatusOr<v1::Vm> UpdateVm(const std::string& name,
                                  std::function<absl::Status(v1::Vm&)> change,
                                  absl::Time deadline) override;
  absl::Status DeleteVm(const std::string& name, const std::string& etag,
                        absl::Time deadline) override;
  absl::StatusOr<v1::Endpoint> CreateEndpoint(v1::Endpoint endpoint, const RequestKey& key,
                                              absl::Time deadline) override;
  absl::StatusOr<v1::Endpoint> UpdateEndpoint(const std::string& name,
                                              std::function<absl::Status(v1::Endpoint&)> change,
                                              absl::Time deadline) override;
  absl::Status DeleteEndpoint(const std::string& name, const std::string& etag,
                              absl::Time deadline) override;
  absl::StatusOr<v1::BackEndProfile> CreateProfile(v1::BackEndProfile profile,
                                                   const RequestKey& key,
                                                   absl::Time deadline) override;
  absl::Status DeleteProfile(const std::string& name, const std::string& etag,
                             absl::Time deadline) override;
  absl::StatusOr<v1::MigrationPolicy> CreatePolicy(v1::MigrationPolicy policy,
                                                   const RequestKey& key,
                                                   absl::Time deadline) override;
  absl::StatusOr<v1::MigrationPolicy> UpdatePolicy(
      const std::string& name, std::function<absl::Status(v1::MigrationPolicy&)> change,
      absl::Time deadline) override;
  absl::Status DeletePolicy(const std::string& name, const std::string& etag,
                            absl::Time deadline) override;
  absl::Status ReplaceFilePolicies(const std::vector<v1::MigrationPolicy>& policies,
                                   absl::Time deadline) override;
  absl::StatusOr<v1::Acknowledgement> CreateAcknowledgement(v1::Acknowledgement acknowledgement,
                                                            const RequestKey& key,
                                                            absl::Time deadline) override;
  absl::Status DeleteAcknowledgement(const std::string& name, const std::string& etag,
                                     absl::Time deadline) override;
  absl::StatusOr<std::vector<EndpointChange>> EndpointChangesSince(
      uint64_t revision) const override;
  uint64_t Subscribe(std::function<void()> notify) override;
  void Unsubscribe(uint64_t id) override;

 private:
  // A caller's change. `run` may refer to the caller's stack: it is only called in state kRunning,
  // and a caller does not leave while its operation is in that state.
  struct Operation {
    enum class State { kQueued, kRunning, kDecided, kDone };
    std::function<absl::Status(Transaction&)> run;
    State state = State::kQueued;
    absl::Status status;
  };
  using Batch = std::vector<std::shared_ptr<Operation>>;

  absl::Status Submit(std::function<absl::Status(Transaction&)> run, absl::Time deadline);
  absl::Status Await(Operation& operation, absl::Time give_up) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  template <typename T>
  absl::StatusOr<T> SubmitFor(std::function<absl::StatusOr<T>(Transaction&)> run,
                              absl::Time deadline);

  void WriterLoop();
  // Empty: the registry is closing.
  Batch NextBatch();
  void RunBatch(const Batch& batch);
  absl::Status Commit(Transaction& transaction, std::unique_ptr<Snapshot> working);
  void SetState(const Batch& batch, Operation::State state);
  void NotifySubscribers();

  Store* const store_;
  const Clock* const clock_;
  RequestMemory requests_;
  // Used by the writer only, once it runs.
  SnapshotPool pool_;

  mutable Mutex mu_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int callers_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<std::shared_ptr<Operation>> queue_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const Snapshot> published_ ABSL_GUARDED_BY(mu_);
  std::deque<EndpointChange> history_ ABSL_GUARDED_BY(mu_);
  // All endpoint changes after this revision are in `history_`.
  uint64_t history_begin_ ABSL_GUARDED_BY(mu_) = 0;

  // Held while subscribers are called, so that Unsubscribe returns only when that is over.
  Mutex subscribers_mu_;
  std::map<uint64_t, std::function<void()>> subscribers_ ABSL_GUARDED_BY(subscribers_mu_);
  uint64_t last_subscriber_ ABSL_GUARDED_BY(subscribers_mu_) = 0;

  std::thread writer_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_DURABLE_REGISTRY_H_
