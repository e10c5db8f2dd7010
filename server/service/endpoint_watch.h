// What a watcher of endpoints is sent.
#ifndef VUFD_SERVER_SERVICE_ENDPOINT_WATCH_H_
#define VUFD_SERVER_SERVICE_ENDPOINT_WATCH_H_

#include <cstdint>

#include "server/registry/registry.h"
#include "server/service/watch.h"

namespace vuf {

// First the present state (`after_revision` 0) or what has changed since, then SYNCED, then
// changes.
WatchSource WatchEndpointsFrom(Registry* registry, uint64_t after_revision);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_ENDPOINT_WATCH_H_
