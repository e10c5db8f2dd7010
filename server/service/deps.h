// What the services are made of; main and the component tests put it together.
#ifndef VUFD_SERVER_SERVICE_DEPS_H_
#define VUFD_SERVER_SERVICE_DEPS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/decisions/decision_log.h"
#include "server/discovery/discovery.h"
#include "server/hypervisor/hypervisor.h"
#include "server/metrics/metrics.h"
#include "server/migration/gather.h"
#include "server/migration/incoming.h"
#include "server/migration/migrator.h"
#include "server/registry/registry.h"
#include "server/service/call.h"
#include "server/service/discover.h"
#include "server/service/endpoint_observer.h"
#include "server/service/watch.h"
#include "server/service/worker_pool.h"

namespace vuf {

struct ServiceDeps {
  Registry* registry;
  Migrator* migrator;
  Gatherer* gatherer;
  HypervisorConnector* connector;
  Discovery* discovery;
  Metrics* metrics;
  const Clock* clock;
  EndpointObserver* observer;
  VmFinder* finder;
  Calls* calls;
  WatchHub* watches;
  // For calls that wait for a monitor, and for those that only wait for the disk: a monitor that
  // does not answer must not hold up the registry.
  WorkerPool* monitor_pool;
  WorkerPool* write_pool;
  // For DiscoverVms without a glob.
  std::vector<std::string> qmp_socket_globs;
  // Spent on one monitor at most.
  absl::Duration monitor_timeout;
  DecisionLog* decisions;
  // Null: not set up for other hosts.
  Incoming* incoming;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_DEPS_H_
