// Everything a decision may look at: gathered before, never during.
#ifndef VUFD_SERVER_MODEL_FACTS_H_
#define VUFD_SERVER_MODEL_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/model/policy.h"
#include "server/model/process.h"
#include "server/model/verdict.h"
#include "server/model/vm.h"

namespace vuf {

// What the registry remembers of an endpoint, by socket path.
struct RegisteredEndpoint {
  std::string name;
  std::string socket_path;
  // Who served it when it was registered or last accepted; absent when nobody did.
  std::optional<ProcessId> process;
  std::optional<FileId> socket_file;
  std::string boot_id;
  uint64_t generation = 0;
};

struct Request {
  bool allow_stateless = false;
  bool allow_stateful = false;
  // False: nobody said where to; the verdict can only list what speaks against the source.
  bool has_destination = false;
  // Guest memory is to be shared through its file (x-ignore-shared) instead of copied.
  bool shared_ram = false;
  // The destination will be started after the source has quit; until then there are no facts of it.
  bool sequential = false;
  // Sequential, once the source has saved its state and quit: the permit under which each device
  // did, by FsDeviceFacts::subject(). `source` is then what was recorded when the migration was
  // decided, of any age. Empty before that.
  std::map<std::string, std::string> own_permits;
  bool operator==(const Request&) const = default;
};

// The host of the other side, when that is not this one: what its agent says.
struct OtherHost {
  // Which side is there: the destination for the agent that moves the VM away, the source for the
  // one that takes it in.
  Side side = Side::kDestination;
  // "HOST:PORT" of the agent.
  std::string agent;
  // Unknown, and why, when the agent did not answer.
  Evidence<std::string> boot_id;
  // What that agent itself has against it ("CODE: message"): its policies, its evidence.
  std::vector<std::string> refusals;
};

struct Facts {
  Request request;
  // Of this host.
  Evidence<std::string> boot_id;
  // Absent: both sides are on this host.
  std::optional<OtherHost> other_host;
  VmFacts source;
  // Absent when the request names none.
  std::optional<VmFacts> destination;
  std::vector<RegisteredEndpoint> endpoints;
  // What the operator's policies say; unknown refuses.
  Evidence<EffectivePolicy> policy;
  // The same with the shadow policies; absent when that makes no difference.
  std::optional<EffectivePolicy> shadow_policy;
  // Name of another migration of this VM that vufd itself is running; empty: none.
  std::string running_migration;
  // When the facts are judged, and how old evidence may be.
  absl::Time now = absl::InfiniteFuture();
  absl::Duration max_age = absl::Seconds(10);
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_FACTS_H_
