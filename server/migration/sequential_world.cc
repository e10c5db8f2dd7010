#include "server/migration/sequential_world.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

Verdict AllowSequential(const Facts& facts) {
  Verdict verdict;
  verdict.fingerprint = "f1";
  verdict.evaluated_at = facts.now;
  verdict.mode = Mode::kStateless;
  verdict.devices = {{"fs0", "share", Mode::kStateless, ""}};
  verdict.allow = facts.source.monitor.known();
  if (!facts.destination.has_value()) return verdict;
  verdict.allow = facts.destination->monitor.known() &&
                  facts.destination->guest_name.value.value_or("") != "wrong" &&
                  facts.destination->run_state.value == "inmigrate" &&
                  facts.request.own_permits.count("fs0") == 1;
  Finding finding;
  finding.code = "SPOILED";
  finding.message = "It is spoiled.";
  if (!verdict.allow) verdict.blockers.push_back(finding);
  return verdict;
}

uint64_t InodeOf(const std::string& vm) { return vm == kSource ? kSourceInode : kDestinationInode; }

}  // namespace

SequentialWorld::SequentialWorld() {
  std::string name = ::testing::TempDir() + "/seqXXXXXX";
  state_file_ = absl::StrCat(mkdtemp(name.data()), "/guest");
  options.evaluate = AllowSequential;
  keepers.Add({kKeeper, {300, 2000}, "instance 300"});
  keepers.ConnectFrontEnd(kKeeper, kSourceInode);
  (void)keepers.Start(kKeeper, kSourceInode);
  SetKept(kSourceFs, kSourceInode);
  SetKept(kDestinationFs, kDestinationInode);
  host.add = [this](VmFacts& vm) {
    vm.devices.value->front().back_end.keeper =
        Known(keepers.Facts(kKeeper), Source::kSockDiag, absl::Now());
  };
  qemu.SetBackEnds(BackEnds());
  qemu.Die(kDestination);
}

void SequentialWorld::SetKept(const char* fs_socket, uint64_t inode) {
  BackEndFacts back_end = TestBackEnd(fs_socket, 300);
  back_end.kind = Known(BackEndKind::kKeeper, Source::kBackEndExecutable, absl::Now());
  back_end.socket.value->peer_inode = inode;
  host.SetBackEnd(fs_socket, back_end);
}

FakeBackEnds SequentialWorld::BackEnds() {
  FakeBackEnds out;
  out.save = [this](const std::string& vm) { return keepers.Save(kKeeper, InodeOf(vm)); };
  out.load = [this](const std::string& vm) { return keepers.Load(kKeeper, InodeOf(vm)); };
  out.start = [this](const std::string& vm) { (void)keepers.Start(kKeeper, InodeOf(vm)); };
  out.gone = [this](const std::string& vm) { keepers.Disconnect(kKeeper, InodeOf(vm)); };
  return out;
}

void SequentialWorld::AddDestination(const std::string& guest_name, FakeOutcome outcome) {
  VmFacts vm = TestVm(kDestination, kDestinationFs, ++destination_pid_, "inmigrate");
  vm.guest_name = Known(guest_name, Source::kQmp, absl::Now());
  keepers.ConnectFrontEnd(kKeeper, kDestinationInode);
  qemu.AddVm(vm);
  qemu.SetOutcome(kDestination, outcome);
}

v1::Migration SequentialWorld::SequentialRequest() const {
  v1::Migration request = Request();
  request.mutable_destination()->mutable_sequential()->set_qmp_socket(kDestination);
  request.mutable_destination()->mutable_sequential()->set_state_file(state_file_);
  return request;
}

}  // namespace vuf
