#include "server/service/vm_service.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/convert/convert.h"
#include "server/registry/request_key.h"
#include "server/service/find_vm.h"
#include "server/service/paging.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

absl::Status Check(const v1::RegisterVmRequest& request) {
  absl::Status status = CheckOnlyFields("vm", request.vm(), {"labels", "qmp_socket"});
  if (status.ok()) status = CheckSocketPath("vm.qmp_socket", request.vm().qmp_socket());
  if (status.ok()) status = CheckLabels("vm.labels", request.vm().labels());
  if (status.ok() && !request.vm_id().empty()) status = CheckId("vm_id", request.vm_id());
  if (status.ok()) status = CheckRequestId(request.request_id());
  return status;
}

// Devices and states are observed, never stored.
v1::Vm WithoutObservation(v1::Vm vm) {
  vm.clear_run_state();
  vm.clear_devices();
  vm.clear_observe_error();
  return vm;
}

}  // namespace

absl::StatusOr<v1::Vm> VmServiceShell::Register(const v1::RegisterVmRequest& request,
                                                absl::Time deadline) {
  const absl::Status checked = Check(request);
  if (!checked.ok()) return checked;
  const RequestKey key = MakeRequestKey("VmService.RegisterVm", request);
  const absl::StatusOr<std::optional<std::string>> replay = deps_.registry->Replay(key);
  if (!replay.ok()) return replay.status();
  v1::Vm vm;
  if (replay->has_value()) {
    if (!vm.ParseFromString(**replay)) return absl::DataLossError("a stored answer is damaged");
    return vm;
  }
  vm = request.vm();
  const absl::Time monitor_deadline = std::min(deadline, absl::Now() + deps_.monitor_timeout);
  absl::StatusOr<VmFacts> facts = AskMonitor(deps_.connector, vm.qmp_socket(), monitor_deadline);
  if (!facts.ok()) return facts.status();
  if (facts->run_state.value == std::string("inmigrate")) {
    return absl::FailedPreconditionError(
        absl::StrCat("vm.qmp_socket: the QEMU at ", Quoted(vm.qmp_socket()),
                     " waits for an incoming migration: a destination, not a VM yet"));
  }
  deps_.discovery->ObserveBackEnds(*facts, Look::kWhoIsWho, deadline);
  const std::string id =
      !request.vm_id().empty() ? request.vm_id() : ChooseVmId(*facts, *deps_.registry->snapshot());
  if (id.empty()) {
    return absl::InvalidArgumentError(
        "vm_id: required, because this QEMU has neither -name nor -uuid");
  }
  FillObserved(*facts, &vm);
  vm.set_name(absl::StrCat("vms/", id));
  absl::StatusOr<v1::Vm> stored = deps_.registry->CreateVm(WithoutObservation(vm), key, deadline);
  if (stored.ok()) FillObserved(*facts, &*stored);
  return stored;
}

absl::StatusOr<v1::Vm> VmServiceShell::Get(const v1::GetVmRequest& request, absl::Time deadline) {
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  const absl::StatusOr<const v1::Vm*> found = FindVm(*snapshot, "name", request.name());
  if (!found.ok()) return found.status();
  v1::Vm vm = **found;
  const std::string migration = deps_.migrator->RunningMigrationOf(vm.name());
  if (!migration.empty()) {
    // The monitor serves one client, and that is the migration.
    vm.set_observe_error(absl::StrCat("not observed while ", migration, " is running"));
    return vm;
  }
  FillObserved(deps_.gatherer->ObserveVm(vm.qmp_socket(), deadline), &vm);
  return vm;
}

absl::StatusOr<v1::ListVmsResponse> VmServiceShell::List(const v1::ListVmsRequest& request) {
  absl::StatusOr<Page> page = Page::Begin("ListVms", request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListVmsResponse response;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  for (const auto& [name, vm] : snapshot->vms) {
    if (page->Takes(name)) *response.add_vms() = vm;
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

absl::StatusOr<v1::RemoveVmResponse> VmServiceShell::Remove(const v1::RemoveVmRequest& request,
                                                            absl::Time deadline) {
  const absl::Status checked = CheckName("name", "vms", request.name());
  if (!checked.ok()) return checked;
  const std::string migration = deps_.migrator->RunningMigrationOf(request.name());
  if (!migration.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("name: ", request.name(),
                                                      " is being migrated by ", migration,
                                                      "; wait for its end or cancel it"));
  }
  const absl::Status removed = deps_.registry->DeleteVm(request.name(), request.etag(), deadline);
  if (!removed.ok()) return removed;
  return v1::RemoveVmResponse();
}

absl::StatusOr<v1::DiscoverVmsResponse> VmServiceShell::Discover(
    const v1::DiscoverVmsRequest& request, absl::Time deadline,
    const std::function<bool()>& cancelled) {
  const std::string& glob = request.socket_glob();
  if (!glob.empty() &&
      (glob.front() != '/' || glob.size() > 1024 || glob.find('\0') != std::string::npos)) {
    return InvalidField("socket_glob", glob, "an absolute path of at most 1024 bytes");
  }
  absl::StatusOr<std::vector<v1::DiscoveredVm>> found =
      glob.empty() ? deps_.finder->DiscoverHost(deps_.qmp_socket_globs, deadline, cancelled)
                   : deps_.finder->Discover({glob}, deadline, cancelled);
  if (!found.ok()) return found.status();
  v1::DiscoverVmsResponse response;
  for (v1::DiscoveredVm& entry : *found) *response.add_discovered() = std::move(entry);
  return response;
}

grpc::ServerUnaryReactor* VmServiceShell::RegisterVm(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* in,
                                                     grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::RegisterVmRequest, v1::Vm>(
      context, "VmService/RegisterVm", deps_.monitor_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Register(request, deadline); });
}

grpc::ServerUnaryReactor* VmServiceShell::GetVm(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::GetVmRequest, v1::Vm>(
      context, "VmService/GetVm", deps_.monitor_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Get(request, deadline); });
}

grpc::ServerUnaryReactor* VmServiceShell::ListVms(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::ListVmsRequest, v1::ListVmsResponse>(
      context, "VmService/ListVms", nullptr, in, out,
      [this](const auto& request, absl::Time) { return List(request); });
}

grpc::ServerUnaryReactor* VmServiceShell::RemoveVm(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* in,
                                                   grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::RemoveVmRequest, v1::RemoveVmResponse>(
      context, "VmService/RemoveVm", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Remove(request, deadline); });
}

grpc::ServerUnaryReactor* VmServiceShell::DiscoverVms(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* in,
                                                      grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::DiscoverVmsRequest, v1::DiscoverVmsResponse>(
      context, "VmService/DiscoverVms", deps_.monitor_pool, in, out,
      [this, context](const auto& request, absl::Time deadline) {
        return Discover(request, deadline, [context] { return context->IsCancelled(); });
      });
}

}  // namespace vuf
