// Looks at registered endpoints and records what changed.
#ifndef VUFD_SERVER_SERVICE_ENDPOINT_OBSERVER_H_
#define VUFD_SERVER_SERVICE_ENDPOINT_OBSERVER_H_

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/discovery/discovery.h"
#include "server/registry/registry.h"
#include "vuf/v1/endpoint.pb.h"

namespace vuf {

// Puts what was seen into `endpoint`. True when somebody else serves it, or another socket file is
// there, or the host was booted since: its identity changed. A look that failed changes only the
// state, because not to see is no evidence of a change.
bool ApplySighting(const EndpointSighting& sighting, const Evidence<std::string>& boot_id,
                   absl::Time now, v1::Endpoint* endpoint);

// Thread-safe, but ObserveAll is for one thread.
class EndpointObserver {
 public:
  EndpointObserver(Discovery* discovery, Registry* registry, const Clock* clock)
      : discovery_(discovery), registry_(registry), clock_(clock) {}

  // For an endpoint that is not registered yet.
  void Look(v1::Endpoint* endpoint, absl::Time deadline);
  // Looks at a registered one and records a change; a look that shows nothing new writes nothing.
  absl::StatusOr<v1::Endpoint> Observe(const std::string& name, absl::Time deadline);
  // The same for all of them, as often as once every few seconds: where the kernel shows the same
  // sockets as before and their process is still there, nobody else can serve them, and no more is
  // looked at. Keepers are asked each time: what they say changes by itself. `goes_on` is asked
  // before each.
  void ObserveAll(absl::Duration each, const std::function<bool()>& goes_on);
  // Sets observe_time to the last look, which is later than the last recorded change.
  void FillObserveTime(v1::Endpoint* endpoint) const;

 private:
  Discovery* const discovery_;
  Registry* const registry_;
  const Clock* const clock_;
  // Nothing about `endpoint` can have changed since it was recorded.
  bool StillAsSeen(const v1::Endpoint& endpoint, const std::optional<SocketSighting>& sockets);
  void NoteLook(const std::string& name, const Registry::Snapshot& snapshot);

  mutable Mutex mu_;
  // By name; entries of deleted endpoints go with the next look at any.
  std::map<std::string, absl::Time> looked_ ABSL_GUARDED_BY(mu_);
  // ObserveAll's own, by name: what it saw at its last look.
  std::map<std::string, SocketSighting> seen_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_ENDPOINT_OBSERVER_H_
