#include "server/migration/kept_world.h"

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

constexpr char kSourceMoves[] = "/run/a-fs1.sock";
constexpr char kDestinationMoves[] = "/run/b-fs1.sock";

Verdict AllowBothModes(const Facts& facts) {
  Verdict verdict = AllowWhatAnswers(facts);
  verdict.devices = {{"fs0", "share", Mode::kStateless, ""},
                     {"fs1", "share1", Mode::kStateful, ""}};
  return verdict;
}

void AddMovingDevice(VmFacts& vm, const std::string& fs_socket) {
  FsDeviceFacts device = vm.devices.value->front();
  device.qom_path = "/machine/peripheral/fs1";
  device.id = "fs1";
  device.tag.value = "share1";
  device.chardev_label.value = "char1";
  device.chardev.value = ChardevFacts{absl::StrCat("unix:", fs_socket), fs_socket, true};
  vm.devices.value->push_back(device);
}

}  // namespace

KeptWorld::KeptWorld() {
  options.evaluate = AllowBothModes;
  qemu.ChangeFacts(kSource, [](VmFacts& vm) { AddMovingDevice(vm, kSourceMoves); });
  qemu.ChangeFacts(kDestination, [](VmFacts& vm) { AddMovingDevice(vm, kDestinationMoves); });
  keepers.Add({kStays, {300, 2000}, "instance 300"});
  keepers.Add({kMovesFrom, {301, 2000}, "instance 301"});
  keepers.Add({kMovesTo, {302, 2000}, "instance 302"});
  Connect({kSource, kSourceFs, kStays, 1000}, 300);
  Connect({kSource, kSourceMoves, kMovesFrom, 1001}, 301);
  for (const FrontEnd& one : front_ends_) (void)keepers.Start(one.control_socket, one.inode);
  Connect({kDestination, kDestinationFs, kStays, 1002}, 300);
  Connect({kDestination, kDestinationMoves, kMovesTo, 1003}, 302);
  host.add = [this](VmFacts& vm) { AddKeepers(vm); };
  qemu.SetBackEnds(BackEnds());
}

void KeptWorld::Connect(const FrontEnd& front_end, int keeper_pid) {
  keepers.ConnectFrontEnd(front_end.control_socket, front_end.inode);
  BackEndFacts back_end = TestBackEnd(front_end.fs_socket, keeper_pid);
  back_end.kind = Known(BackEndKind::kKeeper, Source::kBackEndExecutable, absl::Now());
  back_end.socket.value->peer_inode = front_end.inode;
  host.SetBackEnd(front_end.fs_socket, back_end);
  front_ends_.push_back(front_end);
}

void KeptWorld::AddKeepers(VmFacts& vm) {
  for (FsDeviceFacts& device : *vm.devices.value) {
    for (const FrontEnd& one : front_ends_) {
      if (one.fs_socket != device.chardev.value->socket_path) continue;
      device.back_end.keeper =
          keepers.Alive(one.control_socket)
              ? Known(keepers.Facts(one.control_socket), Source::kSockDiag, absl::Now())
              : Unknown<KeeperFacts>("nobody listens at its control socket");
    }
  }
}

absl::Status KeptWorld::ForEach(const std::string& vm,
                                const std::function<absl::Status(const FrontEnd&)>& act) const {
  absl::Status all;
  for (const FrontEnd& one : front_ends_) {
    if (one.vm == vm) all.Update(act(one));
  }
  return all;
}

FakeBackEnds KeptWorld::BackEnds() {
  FakeBackEnds out;
  out.save = [this](const std::string& vm) {
    return ForEach(
        vm, [this](const FrontEnd& one) { return keepers.Save(one.control_socket, one.inode); });
  };
  out.load = [this](const std::string& vm) {
    return ForEach(
        vm, [this](const FrontEnd& one) { return keepers.Load(one.control_socket, one.inode); });
  };
  out.start = [this](const std::string& vm) {
    if (!starts_) return;
    (void)ForEach(
        vm, [this](const FrontEnd& one) { return keepers.Start(one.control_socket, one.inode); });
  };
  out.gone = [this](const std::string& vm) {
    (void)ForEach(vm, [this](const FrontEnd& one) {
      keepers.Disconnect(one.control_socket, one.inode);
      return absl::OkStatus();
    });
  };
  return out;
}

std::string KeptWorld::NotAt(const std::string& vm) const {
  std::string wrong;
  for (const FrontEnd& one : front_ends_) {
    if (one.vm != vm) continue;
    const KeeperFacts facts = keepers.Facts(one.control_socket);
    bool drives = false;
    for (const KeeperFacts::FrontEnd& other : facts.front_ends) {
      const bool driver = other.role == KeeperFacts::Role::kDriver;
      drives = drives || (driver && other.socket_inode == one.inode);
    }
    if (!drives) absl::StrAppend(&wrong, one.control_socket, ": ", vm, " does not drive; ");
    if (!keepers.Alive(one.control_socket)) {
      absl::StrAppend(&wrong, one.control_socket, ": its keeper is gone; ");
    }
    if (!facts.last_refusal.empty()) {
      absl::StrAppend(&wrong, one.control_socket, ": refused: ", facts.last_refusal, "; ");
    }
  }
  return wrong;
}

std::string KeptWorld::NotAtSource() const {
  std::string wrong = NotAt(kSource);
  for (const char* socket : {kStays, kMovesFrom, kMovesTo}) {
    const KeeperFacts facts = keepers.Facts(socket);
    if (!facts.permit.empty()) absl::StrAppend(&wrong, socket, ": ", facts.permit, " in force; ");
    if (facts.fenced) absl::StrAppend(&wrong, socket, ": fenced; ");
  }
  return wrong;
}

std::string KeptWorld::NotAtDestination() const { return NotAt(kDestination); }

}  // namespace vuf
