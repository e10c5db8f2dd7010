#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<v1::ListVmsResponse> vms = context.client().ListVms();
  if (!vms.ok()) return vms.status();
  return PrintList(context, *vms, vms->vms(), VmsText(*vms));
}

absl::StatusOr<int> Get(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("vms");
  if (!name.ok()) return name.status();
  const absl::StatusOr<v1::Vm> vm = context.client().GetVm(*name);
  if (!vm.ok()) return vm.status();
  return context.Print(*vm, VmText(*vm, LookOf(context)));
}

absl::StatusOr<int> Register(Context& context) {
  const absl::StatusOr<std::map<std::string, std::string>> labels =
      LabelFlags(context.args(), "label");
  if (!labels.ok()) return labels.status();
  v1::RegisterVmRequest request;
  request.mutable_vm()->set_qmp_socket(context.args().positional[0]);
  request.mutable_vm()->mutable_labels()->insert(labels->begin(), labels->end());
  request.set_vm_id(context.args().Get("id"));
  request.set_request_id(context.args().Get("request-id"));
  const absl::StatusOr<v1::Vm> vm = context.client().RegisterVm(request);
  if (!vm.ok()) return vm.status();
  return context.Print(*vm, VmText(*vm, LookOf(context)));
}

absl::StatusOr<int> Remove(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("vms");
  if (!name.ok()) return name.status();
  v1::RemoveVmRequest request;
  request.set_name(*name);
  request.set_etag(context.args().Get("etag"));
  return PrintDone(context, context.client().RemoveVm(request), absl::StrCat("Removed ", *name));
}

absl::StatusOr<int> Discover(Context& context) {
  const std::vector<std::string>& args = context.args().positional;
  const absl::StatusOr<v1::DiscoverVmsResponse> discovered =
      context.client().DiscoverVms(args.empty() ? "" : args[0]);
  if (!discovered.ok()) return discovered.status();
  return context.Print(*discovered, DiscoveredText(*discovered));
}

}  // namespace

std::vector<Command> VmCommands() {
  return {
      {"vms list", "", "list registered VMs", "", {}, List},
      {"vms get", "VM", "show a VM and its vhost-user-fs devices, freshly observed", "", {}, Get},
      {"vms register",
       "QMP_SOCKET",
       "register the VM behind a QMP monitor socket",
       "",
       {{"id", "ID", "its name (default: made from QEMU's guest name or UUID)"},
        {"label", "KEY=VALUE", "a label; may be repeated", nullptr, true},
        kRequestIdFlag},
       Register},
      {"vms remove", "VM", "forget a VM; the VM itself is not touched", "", {kEtagFlag}, Remove},
      {"vms discover",
       "[GLOB]",
       "register every VM whose QMP socket matches (default: every VM on the host)",
       "Without a glob: what vufd's configured globs match, and every QEMU that runs on the host, "
       "also "
       "those that cannot be registered, with the reason. Quote a glob, or the shell expands it: "
       "vufctl vms discover '/run/qemu/*.qmp'.",
       {},
       Discover},
  };
}

}  // namespace vuf::cli
