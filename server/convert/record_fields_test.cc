// That no member of the model is missing in a record: each one is changed alone and must survive.
#include "server/convert/record_fields.h"

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/facts_record.h"
#include "server/convert/record_enums.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

// A keeper's device and a plain one: together everything is known that can be.
VmFacts Known() {
  Facts facts = SafeKeeperFacts(1, 1);
  MakeRamShared(facts);
  return facts.source;
}

// Changes a value to one that it can have. Text becomes what no UTF-8 text has.
void Change(bool& value) { value = !value; }
void Change(std::string& value) { value += std::string("\xff\0", 2); }
void Change(absl::Time& value) { value += absl::Nanoseconds(1); }
void Change(std::vector<std::string>& value) { value.emplace_back(); }
void Change(std::set<std::string>& value) { value.insert(""); }
template <typename T>
void Change(std::map<std::string, T>& value) {
  value[""];
}
template <std::integral T>
void Change(T& value) {
  ++value;
}
template <typename T>
requires std::is_enum_v<T>
void Change(T& value) { value = static_cast<T>(static_cast<int>(value) == 1 ? 2 : 1); }

struct Row {
  std::string name;
  std::function<void(VmFacts&)> spoil;
};
using Rows = std::vector<Row>;

// A part of the VM, and rows for its members.
template <typename Part>
class Spoiler {
 public:
  Spoiler(Rows& rows, std::string name, std::function<Part&(VmFacts&)> part)
      : rows_(rows), name_(std::move(name)), part_(std::move(part)) {}

  template <typename T>
  Spoiler& Member(const char* name, T Part::*member) {
    return Row(name, [member](Part& part) { Change(part.*member); });
  }
  // All of the evidence; its value as well, when that is no struct with members of its own.
  template <typename T>
  Spoiler& Fact(const char* name, Evidence<T> Part::*member) {
    Row(absl::StrCat(name, ".source"), [member](Part& p) { Change((p.*member).source); });
    Row(absl::StrCat(name, ".observed_at"), [member](Part& p) { Change((p.*member).observed_at); });
    Row(absl::StrCat(name, ".never"),
        [member](Part& p) { (p.*member).observed_at = absl::InfinitePast(); });
    Row(absl::StrCat(name, ".detail"), [member](Part& p) { Change((p.*member).detail); });
    Row(absl::StrCat(name, ".unknown"), [member](Part& p) { (p.*member).value.reset(); });
    if constexpr (requires(T & value) { Change(value); }) {
      Row(absl::StrCat(name, ".value"), [member](Part& p) { Change((p.*member).value.value()); });
    }
    return *this;
  }
  Spoiler& Row(absl::string_view name, std::function<void(Part&)> spoil) {
    rows_.push_back({absl::StrCat(name_, ".", name),
                     [part = part_, spoil = std::move(spoil)](VmFacts& vm) { spoil(part(vm)); }});
    return *this;
  }

 private:
  Rows& rows_;
  const std::string name_;
  const std::function<Part&(VmFacts&)> part_;
};

VmFacts& Vm(VmFacts& vm) { return vm; }
FsDeviceFacts& Device(VmFacts& vm) { return vm.devices.value->at(1); }
BackEndFacts& BackEnd(VmFacts& vm) { return Device(vm).back_end; }
BackEndFacts& KeepersBackEnd(VmFacts& vm) { return vm.devices.value->at(0).back_end; }
MemoryBackendFacts& Memory(VmFacts& vm) { return vm.memory_backends.value->front(); }

void AddVm(Rows& rows) {
  Spoiler<VmFacts>(rows, "vm", Vm)
      .Member("qmp_socket", &VmFacts::qmp_socket)
      .Fact("monitor", &VmFacts::monitor)
      .Fact("process", &VmFacts::process)
      .Fact("uuid", &VmFacts::uuid)
      .Fact("guest_name", &VmFacts::guest_name)
      .Fact("qemu_version", &VmFacts::qemu_version)
      .Fact("run_state", &VmFacts::run_state)
      .Fact("machine_type", &VmFacts::machine_type)
      .Fact("started_paused", &VmFacts::started_paused)
      .Fact("migration_status", &VmFacts::migration_status)
      .Fact("blocked_reasons", &VmFacts::blocked_reasons)
      .Fact("capabilities", &VmFacts::capabilities)
      .Fact("migration_mode", &VmFacts::migration_mode)
      .Fact("tls_creds", &VmFacts::tls_creds)
      .Fact("memory_backends", &VmFacts::memory_backends)
      .Fact("devices", &VmFacts::devices)
      .Row("capabilities.on", [](VmFacts& vm) { Change(vm.capabilities.value->begin()->second); })
      .Row("memory_backends.more", [](VmFacts& vm) { vm.memory_backends.value->emplace_back(); })
      .Row("devices.more", [](VmFacts& vm) { vm.devices.value->emplace_back(); })
      .Row("devices.order",
           [](VmFacts& vm) { std::swap(vm.devices.value->at(0), vm.devices.value->at(1)); });
  Spoiler<Version>(rows, "qemu_version",
                   [](VmFacts& vm) -> Version& { return *vm.qemu_version.value; })
      .Member("major", &Version::major)
      .Member("minor", &Version::minor)
      .Member("micro", &Version::micro);
  Spoiler<ProcessId>(rows, "process", [](VmFacts& vm) -> ProcessId& { return *vm.process.value; })
      .Member("pid", &ProcessId::pid)
      .Member("start_ticks", &ProcessId::start_ticks);
  Spoiler<MemoryBackendFacts>(rows, "memory", Memory)
      .Member("id", &MemoryBackendFacts::id)
      .Member("size", &MemoryBackendFacts::size)
      .Member("share", &MemoryBackendFacts::share)
      .Row("path", [](MemoryBackendFacts& memory) { Change(*memory.path); })
      .Row("no path", [](MemoryBackendFacts& memory) { memory.path.reset(); })
      .Row("file.device", [](MemoryBackendFacts& memory) { Change(memory.file->device); })
      .Row("file.inode", [](MemoryBackendFacts& memory) { Change(memory.file->inode); })
      .Row("no file", [](MemoryBackendFacts& memory) { memory.file.reset(); });
}

void AddDevice(Rows& rows) {
  Spoiler<FsDeviceFacts>(rows, "device", Device)
      .Member("qom_path", &FsDeviceFacts::qom_path)
      .Member("id", &FsDeviceFacts::id)
      .Member("type", &FsDeviceFacts::type)
      .Fact("tag", &FsDeviceFacts::tag)
      .Fact("request_queues", &FsDeviceFacts::request_queues)
      .Fact("queue_size", &FsDeviceFacts::queue_size)
      .Fact("ring_size", &FsDeviceFacts::ring_size)
      .Fact("driver_running", &FsDeviceFacts::driver_running)
      .Fact("pci_address", &FsDeviceFacts::pci_address)
      .Fact("chardev_label", &FsDeviceFacts::chardev_label)
      .Fact("chardev", &FsDeviceFacts::chardev)
      .Fact("migration_property", &FsDeviceFacts::migration_property);
  Spoiler<ChardevFacts>(rows, "chardev",
                        [](VmFacts& vm) -> ChardevFacts& { return *Device(vm).chardev.value; })
      .Member("filename", &ChardevFacts::filename)
      .Member("socket_path", &ChardevFacts::socket_path)
      .Member("connected", &ChardevFacts::connected);
}

void AddBackEnd(Rows& rows) {
  Spoiler<BackEndFacts>(rows, "back_end", BackEnd)
      .Fact("socket", &BackEndFacts::socket)
      .Fact("process", &BackEndFacts::process)
      .Fact("first_start_ticks", &BackEndFacts::first_start_ticks)
      .Fact("process_state", &BackEndFacts::process_state)
      .Fact("executable", &BackEndFacts::executable)
      .Fact("executable_deleted", &BackEndFacts::executable_deleted)
      .Fact("version_line", &BackEndFacts::version_line)
      .Fact("kind", &BackEndFacts::kind)
      .Fact("version", &BackEndFacts::version)
      .Fact("options", &BackEndFacts::options)
      .Fact("features", &BackEndFacts::features)
      .Fact("effective_capabilities", &BackEndFacts::effective_capabilities)
      .Fact("share", &BackEndFacts::share)
      .Fact("file_handles", &BackEndFacts::file_handles)
      .Fact("submounts", &BackEndFacts::submounts)
      .Fact("ids", &BackEndFacts::ids)
      .Fact("security_label", &BackEndFacts::security_label)
      .Fact("descriptors", &BackEndFacts::descriptors)
      .Fact("open_files", &BackEndFacts::open_files)
      .Fact("front_ends", &BackEndFacts::front_ends)
      .Fact("profile_modes", &BackEndFacts::profile_modes)
      .Row("options.value", [](BackEndFacts& b) { Change(b.options.value->begin()->second); })
      .Row("socket.bound_file", [](BackEndFacts& b) { Change(b.socket.value->bound_file.inode); })
      .Row("socket.at_path", [](BackEndFacts& b) { Change(b.socket.value->file_at_path.device); })
      .Row("share.root", [](BackEndFacts& b) { Change(b.share.value->root.inode); });
  Spoiler<DescriptorFacts>(
      rows, "descriptors",
      [](VmFacts& vm) -> DescriptorFacts& { return *BackEnd(vm).descriptors.value; })
      .Member("open", &DescriptorFacts::open)
      .Member("limit", &DescriptorFacts::limit);
  Spoiler<OpenFileFacts>(
      rows, "open_files",
      [](VmFacts& vm) -> OpenFileFacts& { return *BackEnd(vm).open_files.value; })
      .Member("looked_at", &OpenFileFacts::looked_at)
      .Member("deleted", &OpenFileFacts::deleted)
      .Member("deleted_example", &OpenFileFacts::deleted_example)
      .Member("not_utf8", &OpenFileFacts::not_utf8);
  Spoiler<SocketFacts>(rows, "socket",
                       [](VmFacts& vm) -> SocketFacts& { return *BackEnd(vm).socket.value; })
      .Member("path", &SocketFacts::path)
      .Member("peer_inode", &SocketFacts::peer_inode);
  Spoiler<ShareId>(rows, "share", [](VmFacts& vm) -> ShareId& { return *BackEnd(vm).share.value; })
      .Member("file_system", &ShareId::file_system)
      .Member("mount_source", &ShareId::mount_source)
      .Member("mount_read_only", &ShareId::mount_read_only);
  using Modes = BackEndFacts::ProfileModes;
  Spoiler<Modes>(rows, "modes",
                 [](VmFacts& vm) -> Modes& { return *BackEnd(vm).profile_modes.value; })
      .Member("stateless", &Modes::stateless)
      .Member("stateful", &Modes::stateful)
      .Member("profile", &Modes::profile);
}

void AddKeeper(Rows& rows) {
  Spoiler<BackEndFacts>(rows, "back_end", KeepersBackEnd)
      .Fact("keeper", &BackEndFacts::keeper)
      .Fact("kept", &BackEndFacts::kept);
  Spoiler<KeeperFacts>(rows, "keeper",
                       [](VmFacts& vm) -> KeeperFacts& { return *KeepersBackEnd(vm).keeper.value; })
      .Member("control_socket", &KeeperFacts::control_socket)
      .Member("instance", &KeeperFacts::instance)
      .Member("session", &KeeperFacts::session)
      .Member("version", &KeeperFacts::version)
      .Row("fewer front_ends", [](KeeperFacts& keeper) { keeper.front_ends.pop_back(); })
      .Member("phase", &KeeperFacts::phase)
      .Member("permit", &KeeperFacts::permit)
      .Member("handed_over_permit", &KeeperFacts::handed_over_permit)
      .Member("fenced", &KeeperFacts::fenced)
      .Member("back_end_features", &KeeperFacts::back_end_features)
      .Member("back_end_protocol_features", &KeeperFacts::back_end_protocol_features)
      .Member("back_end_socket_inode", &KeeperFacts::back_end_socket_inode)
      .Member("unanswered", &KeeperFacts::unanswered)
      .Member("last_refusal", &KeeperFacts::last_refusal)
      .Member("last_drain_us", &KeeperFacts::last_drain_us)
      .Member("last_replace_us", &KeeperFacts::last_replace_us);
  using FrontEnd = KeeperFacts::FrontEnd;
  Spoiler<FrontEnd>(
      rows, "front_end",
      [](VmFacts& vm) -> FrontEnd& { return KeepersBackEnd(vm).keeper.value->front_ends.at(1); })
      .Member("socket_inode", &FrontEnd::socket_inode)
      .Member("role", &FrontEnd::role)
      .Member("undrained", &FrontEnd::undrained);
  Spoiler<KeptBackEnd>(rows, "kept",
                       [](VmFacts& vm) -> KeptBackEnd& { return *KeepersBackEnd(vm).kept.value; })
      .Row("process", [](KeptBackEnd& kept) { Change(kept.process.pid); })
      .Member("state", &KeptBackEnd::state)
      .Member("executable", &KeptBackEnd::executable);
}

TEST(RecordFieldsTest, EveryMemberSurvivesAlone) {
  Rows rows;
  AddVm(rows);
  AddDevice(rows);
  AddBackEnd(rows);
  AddKeeper(rows);
  const std::string unspoiled = ToRecord(Known()).SerializeAsString();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    VmFacts facts = Known();
    row.spoil(facts);
    EXPECT_FALSE(facts == Known());
    const std::string bytes = ToRecord(facts).SerializeAsString();
    EXPECT_NE(bytes, unspoiled);
    record::v1::VmFactsRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes));
    const absl::StatusOr<VmFacts> again = FromRecord(record);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(*again == facts);
  }
}

}  // namespace
}  // namespace vuf
