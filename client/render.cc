#include "client/render.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vuf::cli {
namespace {

template <typename Labels>
std::string LabelsText(const Labels& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  return absl::StrJoin(sorted, ", ", absl::PairFormatter("="));
}

std::string BackEndName(const v1::BackEnd& back_end) {
  if (back_end.pid() == 0 && back_end.kind().empty()) return "-";
  return Printable(absl::StrCat(back_end.kind().empty() ? "unknown" : back_end.kind(),
                                back_end.version().empty() ? "" : " ", back_end.version()));
}

// "virtiofsd" of "/usr/libexec/virtiofsd", with its pid.
std::string KeptBackEndName(const v1::Keeper& keeper) {
  if (keeper.back_end_pid() == 0) return OrDash(keeper.back_end_executable());
  return Printable(
      absl::StrCat(keeper.back_end_executable().empty() ? "unknown" : keeper.back_end_executable(),
                   " (pid ", keeper.back_end_pid(), ")"));
}

void AddKeeper(const v1::Keeper& keeper, FieldList* fields) {
  fields->Add("keeper", keeper.version());
  fields->Add("control socket", keeper.control_socket());
  fields->Add("keeps", KeptBackEndName(keeper));
  fields->Add("instance", keeper.instance());
  fields->Add("session", keeper.session());
  fields->Add("front-ends", absl::StrCat(keeper.front_ends()));
  fields->Add("hand-over", keeper.phase());
  fields->Add("permit", keeper.permit());
  fields->Add("last refusal", keeper.last_refusal());
}

void AddBackEnd(const v1::BackEnd& back_end, FieldList* fields) {
  fields->Add("back-end", BackEndName(back_end));
  if (back_end.pid() != 0) fields->Add("pid", absl::StrCat(back_end.pid()));
  fields->Add("executable", back_end.executable());
  fields->Add("shares", back_end.shared_directory());
  fields->Add("features", absl::StrJoin(back_end.features(), ", "));
  if (back_end.has_keeper()) AddKeeper(back_end.keeper(), fields);
  fields->Add("keeper error", back_end.keeper_error());
}

std::string EndpointStateText(const v1::Endpoint& endpoint) {
  return EnumText(v1::Endpoint::State_Name(endpoint.state()), "STATE_");
}

std::string DevicesText(const v1::Vm& vm) {
  TextTable table({"DEVICE", "TAG", "TYPE", "CONNECTED", "BACK-END", "SOCKET"});
  for (const v1::FsDevice& device : vm.devices()) {
    table.AddRow({OrDash(device.id().empty() ? device.qom_path() : device.id()),
                  OrDash(device.tag()), OrDash(device.type()), device.connected() ? "yes" : "no",
                  BackEndName(device.back_end()), OrDash(device.socket_path())});
  }
  return vm.devices().empty() ? "" : absl::StrCat("\n", table.ToString());
}

// The keepers among a VM's back-ends, and what could not be learnt of them.
std::string KeepersText(const v1::Vm& vm, const Look& look) {
  TextTable table({"DEVICE", "HAND-OVER", "FRONT-ENDS", "PERMIT", "KEEPS", "CONTROL SOCKET"});
  bool any = false;
  std::string notes;
  for (const v1::FsDevice& device : vm.devices()) {
    const v1::BackEnd& back_end = device.back_end();
    const std::string name = OrDash(device.id().empty() ? device.qom_path() : device.id());
    if (!back_end.keeper_error().empty()) {
      absl::StrAppend(&notes, Wrap(absl::StrCat("The keeper of ", name,
                                                " could not be asked: ", back_end.keeper_error()),
                                   look.columns, 0));
    }
    if (!back_end.has_keeper()) continue;
    const v1::Keeper& keeper = back_end.keeper();
    any = true;
    table.AddRow({name, OrDash(keeper.phase()), absl::StrCat(keeper.front_ends()),
                  OrDash(keeper.permit()), KeptBackEndName(keeper),
                  OrDash(keeper.control_socket())});
    if (keeper.last_refusal().empty()) continue;
    absl::StrAppend(
        &notes, Wrap(absl::StrCat("The keeper of ", name, " refused last: ", keeper.last_refusal()),
                     look.columns, 0));
  }
  return absl::StrCat(any ? "\n" : "", any ? table.ToString() : "", notes.empty() ? "" : "\n",
                      notes);
}

// Bounds as "1.11.0 <= version < 2.0.0".
std::string VersionsText(const v1::BackEndProfile& profile) {
  if (profile.min_version().empty() && profile.version_limit().empty()) return "any";
  return Printable(absl::StrCat(
      profile.min_version().empty() ? "" : absl::StrCat(">= ", profile.min_version()),
      profile.min_version().empty() || profile.version_limit().empty() ? "" : ", ",
      profile.version_limit().empty() ? "" : absl::StrCat("< ", profile.version_limit())));
}

std::string ModesText(const v1::BackEndProfile& profile) {
  std::vector<std::string> modes;
  for (const int mode : profile.modes()) {
    modes.push_back(ModeText(static_cast<v1::MigrationMode>(mode)));
  }
  return modes.empty() ? "none" : absl::StrJoin(modes, ", ");
}

}  // namespace

std::string ShortName(absl::string_view name) {
  return Printable(name.substr(name.find('/') == absl::string_view::npos ? 0 : name.find('/') + 1));
}

std::string VmsText(const v1::ListVmsResponse& vms) {
  if (vms.vms().empty()) {
    return "No VM is registered. Try \"vufctl vms discover\" or \"vufctl vms register\".\n";
  }
  TextTable table({"VM", "GUEST", "QEMU", "QMP SOCKET", "LABELS"});
  for (const v1::Vm& vm : vms.vms()) {
    table.AddRow({ShortName(vm.name()), OrDash(vm.guest_name()), OrDash(vm.qemu_version()),
                  OrDash(vm.qmp_socket()), OrDash(LabelsText(vm.labels()))});
  }
  return table.ToString();
}

std::string VmText(const v1::Vm& vm, const Look& look) {
  FieldList fields;
  fields.Add("vm", vm.name());
  fields.Add("guest", vm.guest_name());
  fields.Add("state", vm.run_state());
  fields.Add("uuid", vm.uuid());
  fields.Add("qemu", vm.qemu_version());
  fields.Add("qmp socket", vm.qmp_socket());
  fields.Add("labels", LabelsText(vm.labels()));
  fields.Add("registered", TimeText(vm.create_time()));
  fields.Add("etag", vm.etag());
  std::string text = absl::StrCat(fields.ToString(), DevicesText(vm), KeepersText(vm, look));
  if (!vm.observe_error().empty()) {
    absl::StrAppend(
        &text, "\n",
        Wrap(absl::StrCat("Not all could be observed: ", vm.observe_error()), look.columns, 0));
  }
  return text;
}

std::string DiscoveredText(const v1::DiscoverVmsResponse& discovered) {
  if (discovered.discovered().empty()) return "No QEMU was found.\n";
  TextTable table({"QMP SOCKET", "OUTCOME", "VM", "WHY"});
  for (const v1::DiscoveredVm& found : discovered.discovered()) {
    table.AddRow({OrDash(found.qmp_socket()),
                  EnumText(v1::DiscoveredVm::Outcome_Name(found.outcome()), "OUTCOME_"),
                  OrDash(ShortName(found.vm().name())), Printable(found.error())});
  }
  return table.ToString();
}

std::string EndpointsText(const v1::ListEndpointsResponse& endpoints) {
  if (endpoints.endpoints().empty()) return "No endpoint is registered.\n";
  TextTable table({"ENDPOINT", "STATE", "BACK-END", "PID", "GENERATION", "SOCKET"});
  for (const v1::Endpoint& endpoint : endpoints.endpoints()) {
    const int pid = endpoint.back_end().pid();
    table.AddRow({ShortName(endpoint.name()), EndpointStateText(endpoint),
                  BackEndName(endpoint.back_end()), pid == 0 ? "-" : absl::StrCat(pid),
                  absl::StrCat(endpoint.generation()), OrDash(endpoint.socket_path())});
  }
  return table.ToString();
}

std::string EndpointText(const v1::Endpoint& endpoint, const Look& look) {
  FieldList fields;
  fields.Add("endpoint", endpoint.name());
  fields.Add("state", EndpointStateText(endpoint));
  fields.Add("socket", endpoint.socket_path());
  AddBackEnd(endpoint.back_end(), &fields);
  fields.Add("profile", endpoint.profile());
  fields.Add("labels", LabelsText(endpoint.labels()));
  fields.Add("generation", absl::StrCat(endpoint.generation()));
  fields.Add("registered", TimeText(endpoint.create_time()));
  fields.Add("observed", TimeText(endpoint.observe_time()));
  fields.Add("etag", endpoint.etag());
  std::string text = fields.ToString();
  if (!endpoint.observe_error().empty()) {
    absl::StrAppend(&text, "\n",
                    Wrap(absl::StrCat("Not all could be observed: ", endpoint.observe_error()),
                         look.columns, 0));
  }
  return text;
}

std::string EndpointChangeText(const v1::WatchEndpointsResponse& change) {
  const std::string kind = EnumText(v1::WatchEndpointsResponse::Kind_Name(change.kind()), "KIND_");
  if (change.kind() == v1::WatchEndpointsResponse::KIND_SYNCED) {
    return absl::StrCat(change.revision(), " ", kind, "\n");
  }
  const v1::Endpoint& endpoint = change.endpoint();
  return absl::StrCat(change.revision(), " ", kind, " ", ShortName(endpoint.name()), " ",
                      EndpointStateText(endpoint), " generation ", endpoint.generation(), " ",
                      BackEndName(endpoint.back_end()), " ", OrDash(endpoint.socket_path()), "\n");
}

std::string ProfilesText(const v1::ListBackEndProfilesResponse& profiles) {
  if (profiles.back_end_profiles().empty()) return "There is no profile.\n";
  TextTable table({"PROFILE", "KIND", "EXECUTABLE", "VERSIONS", "MODES", "SHIPPED"});
  for (const v1::BackEndProfile& profile : profiles.back_end_profiles()) {
    table.AddRow({ShortName(profile.name()), OrDash(profile.kind()),
                  OrDash(profile.executable_name()), VersionsText(profile), ModesText(profile),
                  profile.shipped() ? "yes" : "no"});
  }
  return table.ToString();
}

std::string ProfileText(const v1::BackEndProfile& profile) {
  FieldList fields;
  fields.Add("profile", profile.name());
  fields.Add("description", profile.description());
  fields.Add("kind", profile.kind());
  fields.Add("executable", profile.executable_name());
  fields.Add("version line", profile.version_prefix());
  fields.Add("versions", VersionsText(profile));
  fields.Add("modes", ModesText(profile));
  fields.Add("shipped", profile.shipped() ? "yes" : "no");
  fields.Add("etag", profile.etag());
  return fields.ToString();
}

}  // namespace vuf::cli
