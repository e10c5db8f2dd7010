// Judging many migrations, a few VMs at a time.
#ifndef VUFD_SERVER_SERVICE_BATCH_H_
#define VUFD_SERVER_SERVICE_BATCH_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/decision/prepare.h"
#include "server/model/facts.h"
#include "server/service/deps.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {

inline constexpr int kMaxBatchVms = 1000;
inline constexpr int kMaxBatchDestinations = 16;
inline constexpr int kMaxBatchPairs = 10000;

// The records of these VMs, or of all; NOT_FOUND names one that is not registered,
// INVALID_ARGUMENT too many.
absl::StatusOr<std::vector<v1::Vm>> VmsOf(
    const Registry& registry, const google::protobuf::RepeatedPtrField<std::string>& names);

// What is known of destinations, each asked once in a while however many VMs could go there, and
// prepared for all of them.
class DestinationCache {
 public:
  DestinationCache(Gatherer* gatherer, const Clock* clock) : gatherer_(gatherer), clock_(clock) {}
  // Fresh enough to be judged.
  std::shared_ptr<const PreparedDestination> Get(const std::string& qmp_socket,
                                                 const PreparedSource& source, absl::Time deadline);

 private:
  struct Entry {
    std::shared_ptr<const VmFacts> facts;
    absl::Time observed_at = absl::InfinitePast();
    std::shared_ptr<const PreparedDestination> prepared;
  };

  Entry Find(const std::string& qmp_socket) const;
  void Keep(const std::string& qmp_socket, Entry entry);

  Gatherer* const gatherer_;
  const Clock* const clock_;
  mutable Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

// One VM of a batch, prepared once for each way in which it is asked about.
class BatchSource {
 public:
  explicit BatchSource(Facts facts) : facts_(std::move(facts)) {}

  // For destinations of this request; valid until the next call.
  const PreparedSource& For(const Request& request, absl::Time now);

 private:
  // Moved into the first one prepared.
  Facts facts_;
  std::unique_ptr<const PreparedSource> prepared_;
};

// The facts of one VM, without a destination.
Facts GatherSource(const ServiceDeps& deps, const v1::Vm& vm, const Request& request,
                   absl::Time deadline);
// Adds one: null for a sequential migration or none.
void SetDestination(const Request& request, const VmFacts* destination, absl::Time now,
                    Facts& facts);

// Calls `work` for 0 to count - 1 from a few threads, until one of them returns false or all are
// done.
void InParallel(size_t count, const std::function<bool(size_t)>& work);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_BATCH_H_
