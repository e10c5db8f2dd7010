// Gathers the facts of one evaluation, from the monitors, the host and the registry.
#ifndef VUFD_SERVER_MIGRATION_GATHER_H_
#define VUFD_SERVER_MIGRATION_GATHER_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/discovery/discovery.h"
#include "server/hypervisor/hypervisor.h"
#include "server/migration/recent_vms.h"
#include "server/model/facts.h"
#include "server/peer/peer.h"
#include "server/registry/registry.h"

namespace vuf {

struct GatherRequest {
  // "vms/{vm}", and its record's monitor.
  std::string vm;
  std::string source_socket;
  // Absent: the request names no destination.
  std::optional<std::string> destination_socket;
  Request request;
  // The destination is there instead; needs `migration` only to reserve.
  std::optional<v1::OtherHost> other_host;
  // "migrations/{migration}" for which this is; empty: for none.
  std::string migration;
  // Name of a migration of this VM that vufd is running, other than the one that asks. The monitors
  // are left to it then.
  std::string running_migration;
};

struct Gathered {
  Facts facts;
  // The monitors that were asked; null when one could not be reached (the facts say why).
  std::unique_ptr<Hypervisor> source;
  std::unique_ptr<Hypervisor> destination;
  // Of the other host's verdict; empty: it gave none.
  std::string peer_fingerprint;
};

// The way to other hosts; the default is none.
struct PeerSide {
  PeerPort* port = nullptr;
  // "HOST:PORT" where they reach this agent.
  std::string own_address;
};

class Gatherer {
 public:
  // `monitor_timeout` bounds what is spent on one monitor.
  Gatherer(HypervisorConnector* connector, Discovery* discovery, Registry* registry,
           const Clock* clock, absl::Duration monitor_timeout, PeerSide peers = {})
      : connector_(connector),
        discovery_(discovery),
        registry_(registry),
        clock_(clock),
        monitor_timeout_(monitor_timeout),
        peers_(std::move(peers)) {}

  // Never fails: what could not be learnt is unknown in the facts. Changes nothing. The two sides
  // are asked at the same time.
  Gathered Gather(const GatherRequest& request, absl::Time deadline);
  // The same during the migration, after `before`, for connections that are open already, with no
  // more of the registry than the endpoints of these devices: the guest may be stopped meanwhile.
  // Nor is another host asked: it looks by itself (PeerPort::Recheck). A null `destination`: the
  // request has none.
  Facts GatherAgain(const GatherRequest& request, const Facts& before, Hypervisor& source,
                    Hypervisor* destination, absl::Time deadline);
  // The second stage of a sequential migration: `source` is what was recorded of it.
  Gathered GatherDestination(const GatherRequest& request, const VmFacts& source,
                             absl::Time deadline);
  // At the destination's agent: what is here, and what the source's agent says of its side. Only
  // the destination's monitor is in the answer.
  Gathered GatherIncoming(const v1::IncomingMigration& incoming, const Facts& theirs,
                          absl::Time deadline);
  // What the source's agent says of its side.
  v1::IncomingMigration IncomingOf(const GatherRequest& request, const Facts& facts) const;
  // Who takes part in `before`, a side as it was seen at `seen_at`, now.
  VmFacts LookAgain(const VmFacts& before, absl::Time seen_at, Hypervisor& hypervisor,
                    absl::Time deadline);
  // What the registry says now; nothing is looked at.
  std::vector<RegisteredEndpoint> Endpoints() const;
  Evidence<std::string> BootId() { return discovery_->BootId(); }
  bool IsGone(const ProcessId& process) { return discovery_->IsGone(process); }
  // One VM, with its back-ends and their profiles.
  VmFacts ObserveVm(const std::string& qmp_socket, absl::Time deadline);

 private:
  struct Side {
    VmFacts facts;
    std::unique_ptr<Hypervisor> hypervisor;
  };

  absl::Time Limit(absl::Time deadline) const;
  Side ObserveSide(const std::string& qmp_socket, absl::Time deadline);
  // A null `before`: everything is asked.
  VmFacts Observe(const std::string& qmp_socket, const VmFacts* before, Hypervisor& hypervisor,
                  Look look, absl::Time deadline);
  // Discovery's part, and what the profiles say about each back-end.
  void AddBackEnds(VmFacts& vm, Look look, absl::Time deadline);
  // Everything that is not about one side. Sets `now`, so it comes last.
  // Endpoints only of `sockets`, unless it is null.
  void AddCommon(const GatherRequest& request, Facts& facts,
                 const std::set<std::string>* sockets = nullptr);
  // Asks the other host's agent. Returns the fingerprint of its verdict, "" when there is none.
  std::string AddOtherHost(const GatherRequest& request, Facts& facts, absl::Time deadline);
  absl::StatusOr<v1::JudgeIncomingResponse> AskOtherHost(const GatherRequest& request,
                                                         const Facts& facts, absl::Time deadline);

  HypervisorConnector* const connector_;
  Discovery* const discovery_;
  Registry* const registry_;
  const Clock* const clock_;
  const absl::Duration monitor_timeout_;
  const PeerSide peers_;
  RecentVms recent_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_GATHER_H_
