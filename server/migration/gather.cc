#include "server/migration/gather.h"

#include <algorithm>
#include <future>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/migration/policy_subject.h"
#include "server/profile/profile.h"

namespace vuf {
namespace {

VmFacts NotAsked(const std::string& qmp_socket, absl::string_view why) {
  VmFacts facts;
  facts.qmp_socket = qmp_socket;
  facts.monitor = Unknown<std::string>(std::string(why), Source::kQmp);
  return facts;
}

std::string DeclaredProfile(const Registry::Snapshot& registry, const std::string& socket_path) {
  for (const auto& [name, endpoint] : registry.endpoints) {
    if (endpoint.socket_path() == socket_path) return endpoint.profile();
  }
  return "";
}

// Wherever the devices of these VMs may have their back-ends.
std::set<std::string> SocketsOf(const std::vector<const VmFacts*>& vms) {
  std::set<std::string> sockets;
  for (const VmFacts* vm : vms) {
    if (!vm->devices.known()) continue;
    for (const FsDeviceFacts& device : *vm->devices.value) {
      if (device.back_end.socket.known()) sockets.insert(device.back_end.socket.value->path);
      if (device.chardev.known()) sockets.insert(device.chardev.value->socket_path);
    }
  }
  return sockets;
}

RegisteredEndpoint ToModel(const v1::Endpoint& endpoint) {
  RegisteredEndpoint out;
  out.name = endpoint.name();
  out.socket_path = endpoint.socket_path();
  out.boot_id = endpoint.boot_id();
  out.generation = endpoint.generation();
  if (endpoint.back_end().pid() > 0) {
    out.process = ProcessId{endpoint.back_end().pid(), endpoint.back_end().start_ticks()};
  }
  if (endpoint.socket_inode() != 0) {
    out.socket_file = FileId{endpoint.socket_device(), endpoint.socket_inode()};
  }
  return out;
}

// Only of `sockets`, unless it is null.
std::vector<RegisteredEndpoint> EndpointsOf(const Registry::Snapshot& registry,
                                            const std::set<std::string>* sockets) {
  std::vector<RegisteredEndpoint> endpoints;
  for (const auto& [name, endpoint] : registry.endpoints) {
    if (sockets != nullptr && sockets->count(endpoint.socket_path()) == 0) continue;
    endpoints.push_back(ToModel(endpoint));
  }
  return endpoints;
}

}  // namespace

absl::Time Gatherer::Limit(absl::Time deadline) const {
  return std::min(deadline, clock_->Now() + monitor_timeout_);
}

void Gatherer::AddBackEnds(VmFacts& vm, Look look, absl::Time deadline) {
  discovery_->ObserveBackEnds(vm, look, deadline);
  if (!vm.devices.known()) return;
  const std::shared_ptr<const Registry::Snapshot> registry = registry_->snapshot();
  for (FsDeviceFacts& device : *vm.devices.value) {
    ApplyProfiles(registry->profiles, DeclaredProfile(*registry, SocketPathOf(device)),
                  clock_->Now(), device.back_end);
  }
}

VmFacts Gatherer::Observe(const std::string& qmp_socket, const VmFacts* before,
                          Hypervisor& hypervisor, Look look, absl::Time deadline) {
  absl::StatusOr<VmFacts> facts = before == nullptr
                                      ? hypervisor.Observe(Limit(deadline))
                                      : hypervisor.ObserveAgain(*before, Limit(deadline));
  if (!facts.ok()) return NotAsked(qmp_socket, facts.status().message());
  facts->qmp_socket = qmp_socket;
  AddBackEnds(*facts, look, Limit(deadline));
  return *std::move(facts);
}

Gatherer::Side Gatherer::ObserveSide(const std::string& qmp_socket, absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<Hypervisor>> hypervisor =
      connector_->Connect(qmp_socket, Limit(deadline));
  if (!hypervisor.ok()) return {NotAsked(qmp_socket, hypervisor.status().message()), nullptr};
  const std::optional<VmFacts> before = recent_.Get(qmp_socket, clock_->Now());
  VmFacts facts = Observe(qmp_socket, before.has_value() ? &*before : nullptr, **hypervisor,
                          Look::kEverything, deadline);
  if (!facts.monitor.known()) return {std::move(facts), nullptr};
  if (!before.has_value()) recent_.Put(facts, clock_->Now());
  return {std::move(facts), *std::move(hypervisor)};
}

std::vector<RegisteredEndpoint> Gatherer::Endpoints() const {
  return EndpointsOf(*registry_->snapshot(), nullptr);
}

void Gatherer::AddCommon(const GatherRequest& request, Facts& facts,
                         const std::set<std::string>* sockets) {
  facts.request = request.request;
  facts.running_migration = request.running_migration;
  facts.boot_id = discovery_->BootId();
  // One snapshot, so that endpoints and policies belong together.
  const std::shared_ptr<const Registry::Snapshot> registry = registry_->snapshot();
  facts.endpoints = EndpointsOf(*registry, sockets);
  facts.now = clock_->Now();
  AddPolicies(*registry, request.vm, facts.now, facts);
}

Gathered Gatherer::Gather(const GatherRequest& request, absl::Time deadline) {
  Gathered gathered;
  gathered.facts.request.has_destination = request.destination_socket.has_value();
  if (!request.running_migration.empty()) {
    // Whoever waits in a monitor's queue gets it when the migration loses its connection, and a
    // guest that is stopped just then would wait for him.
    const std::string why =
        absl::StrCat(request.running_migration, " is running and needs the monitors for itself");
    gathered.facts.source = NotAsked(request.source_socket, why);
    if (request.destination_socket.has_value()) {
      gathered.facts.destination = NotAsked(*request.destination_socket, why);
    }
    AddCommon(request, gathered.facts);
    return gathered;
  }
  std::future<Side> destination;
  // A monitor serves one client: asked a second time it would not answer.
  const bool same_monitor = request.destination_socket == request.source_socket;
  if (request.destination_socket.has_value() && !same_monitor) {
    destination = std::async(std::launch::async,
                             [&] { return ObserveSide(*request.destination_socket, deadline); });
  }
  Side source = ObserveSide(request.source_socket, deadline);
  gathered.facts.source = std::move(source.facts);
  gathered.source = std::move(source.hypervisor);
  if (same_monitor) {
    gathered.facts.destination =
        NotAsked(request.source_socket, "the destination names the source's own monitor");
  } else if (destination.valid()) {
    Side side = destination.get();
    gathered.facts.destination = std::move(side.facts);
    gathered.destination = std::move(side.hypervisor);
  }
  AddCommon(request, gathered.facts);
  if (request.other_host.has_value()) {
    gathered.facts.request.has_destination = true;
    gathered.peer_fingerprint = AddOtherHost(request, gathered.facts, deadline);
  }
  return gathered;
}

VmFacts Gatherer::LookAgain(const VmFacts& before, absl::Time seen_at, Hypervisor& hypervisor,
                            absl::Time deadline) {
  const bool recent = IsJustNow(seen_at, clock_->Now());
  return Observe(before.qmp_socket, recent ? &before : nullptr, hypervisor, Look::kWhoIsWho,
                 deadline);
}

Facts Gatherer::GatherAgain(const GatherRequest& request, const Facts& before, Hypervisor& source,
                            Hypervisor* destination, absl::Time deadline) {
  Facts facts;
  std::future<VmFacts> other;
  if (destination != nullptr) {
    other = std::async(std::launch::async, [&] {
      return LookAgain(*before.destination, before.now, *destination, deadline);
    });
  }
  facts.source = LookAgain(before.source, before.now, source, deadline);
  std::vector<const VmFacts*> vms = {&facts.source};
  if (other.valid()) vms.push_back(&facts.destination.emplace(other.get()));
  const std::set<std::string> used = SocketsOf(vms);
  AddCommon(request, facts, &used);
  return facts;
}

Gathered Gatherer::GatherDestination(const GatherRequest& request, const VmFacts& source,
                                     absl::Time deadline) {
  Gathered gathered;
  gathered.facts.source = source;
  Side side = ObserveSide(request.destination_socket.value_or(""), deadline);
  gathered.facts.destination = std::move(side.facts);
  gathered.destination = std::move(side.hypervisor);
  AddCommon(request, gathered.facts);
  return gathered;
}

VmFacts Gatherer::ObserveVm(const std::string& qmp_socket, absl::Time deadline) {
  return ObserveSide(qmp_socket, deadline).facts;
}

}  // namespace vuf
