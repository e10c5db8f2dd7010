// Finding VMs by the paths of their monitors.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class DiscoverApiTest : public ::testing::Test {
 protected:
  // A socket file at which the fake QEMU `facts` answers.
  std::string AddMonitor(const std::string& name, VmFacts facts) {
    const std::string path = world_.directory.Path(name);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
    facts.qmp_socket = path;
    world_.qemu.AddVm(facts);
    return path;
  }
  grpc::Status Discover(v1::DiscoverVmsResponse* response) {
    v1::DiscoverVmsRequest request;
    request.set_socket_glob(world_.directory.Path("*.qmp"));
    return world_.vms->DiscoverVms(Context().get(), request, response);
  }
  // Outcome by file name; `errors` gets what FAILED says.
  std::map<std::string, std::string> Outcomes(std::string* error = nullptr) {
    v1::DiscoverVmsResponse response;
    const grpc::Status status = Discover(&response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::map<std::string, std::string> outcomes;
    for (const v1::DiscoveredVm& entry : response.discovered()) {
      outcomes[std::filesystem::path(entry.qmp_socket()).filename()] =
          absl::StrCat(v1::DiscoveredVm::Outcome_Name(entry.outcome()), " ", entry.vm().name());
      if (error != nullptr) *error += entry.error();
    }
    return outcomes;
  }

  ApiWorld world_;
};

TEST_F(DiscoverApiTest, RegistersOnceThenKnows) {
  AddMonitor("a.qmp", SafeSource());
  EXPECT_EQ(Outcomes()["a.qmp"], "OUTCOME_REGISTERED vms/guest");
  EXPECT_EQ(Outcomes()["a.qmp"], "OUTCOME_KNOWN vms/guest");
}

TEST_F(DiscoverApiTest, ADestinationIsReportedNeverRegistered) {
  AddMonitor("b.qmp", SafeDestination());
  EXPECT_EQ(Outcomes()["b.qmp"], "OUTCOME_INCOMING ");
}

TEST_F(DiscoverApiTest, ASourceThatWasMigratedAwayIsNotRegistered) {
  VmFacts moved = SafeSource();
  moved.run_state.value = "postmigrate";
  AddMonitor("c.qmp", moved);
  std::string error;
  EXPECT_EQ(Outcomes(&error)["c.qmp"], "OUTCOME_FAILED ");
  EXPECT_THAT(error, HasSubstr("postmigrate"));
}

TEST_F(DiscoverApiTest, FilesThatAreNoSocketsAreSaid) {
  std::ofstream(world_.directory.Path("d.qmp")) << "text";
  std::string error;
  EXPECT_EQ(Outcomes(&error)["d.qmp"], "OUTCOME_FAILED ");
  EXPECT_EQ(error, "not a socket");
}

TEST_F(DiscoverApiTest, TheSameVmAtTwoPathsIsOneVm) {
  AddMonitor("a.qmp", SafeSource());
  AddMonitor("b.qmp", SafeSource());
  std::string error;
  std::map<std::string, std::string> outcomes = Outcomes(&error);
  EXPECT_EQ(outcomes["a.qmp"], "OUTCOME_REGISTERED vms/guest");
  EXPECT_EQ(outcomes["b.qmp"], "OUTCOME_FAILED ");
  EXPECT_THAT(error, HasSubstr("vms/guest"));
}

TEST_F(DiscoverApiTest, EqualNamesGetDifferentIds) {
  AddMonitor("a.qmp", SafeSource());
  VmFacts other = SafeSource();
  other.uuid.value = "11111111-2222-3333-4444-555555555555";
  AddMonitor("b.qmp", other);
  EXPECT_EQ(Outcomes()["b.qmp"], "OUTCOME_REGISTERED vms/vm-11111111-2222-3333-4444-555555555555");
}

class DiscoverHostTest : public DiscoverApiTest {
 protected:
  // All entries, without a glob, as "OUTCOME name-of-the-socket error".
  std::vector<std::string> Found() {
    v1::DiscoverVmsResponse response;
    const grpc::Status status = world_.vms->DiscoverVms(Context().get(), {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> found;
    for (const v1::DiscoveredVm& entry : response.discovered()) {
      found.push_back(absl::StrCat(v1::DiscoveredVm::Outcome_Name(entry.outcome()), " ",
                                   fs::path(entry.qmp_socket()).filename().string(), " ",
                                   entry.error()));
    }
    return found;
  }
  void SetHost(std::vector<QemuProcess> qemus, size_t closed = 0) {
    world_.qemus_on_host.Set(QemuSighting{std::move(qemus), closed});
  }
  static QemuProcess Qemu(int pid, std::vector<QemuMonitor> monitors) {
    return {{pid, 1}, "/usr/bin/qemu-system-x86_64", std::move(monitors)};
  }
  static int SourcePid() { return SafeSource().process.value->pid; }
};

TEST_F(DiscoverHostTest, AQemuThatRunsIsRegisteredByItsFreeMonitorAndThenKnown) {
  const std::string path = AddMonitor("a.qmp", SafeSource());
  SetHost({Qemu(SourcePid(), {{"/run/busy", "in use"}, {path, ""}})});
  EXPECT_THAT(Found(), ElementsAre("OUTCOME_REGISTERED a.qmp "));
  SetHost({Qemu(SourcePid(), {{"/run/other", ""}, {path, "in use"}})});
  EXPECT_THAT(Found(), ElementsAre("OUTCOME_KNOWN a.qmp "));
  EXPECT_EQ(world_.qemu.CallCount("/run/other", FakeCall::kConnect), 0);
}

TEST_F(DiscoverHostTest, ADestinationIsReportedNeverRegistered) {
  const std::string path = AddMonitor("b.qmp", SafeDestination());
  SetHost({Qemu(SafeDestination().process.value->pid, {{path, ""}})});
  EXPECT_THAT(Found(), ElementsAre("OUTCOME_INCOMING b.qmp "));
}

TEST_F(DiscoverHostTest, WithoutAUsableMonitorItIsSaidWhy) {
  SetHost({Qemu(7, {}), Qemu(8, {{"/run/q.qmp", "in use: another client is connected"}})});
  EXPECT_THAT(
      Found(),
      ElementsAre(HasSubstr("QEMU process 7 (/usr/bin/qemu-system-x86_64): its command line "
                            "has none"),
                  AllOf(HasSubstr("OUTCOME_FAILED q.qmp"), HasSubstr("in use"))));
}

TEST_F(DiscoverHostTest, SomebodyElseAtItsMonitorIsNotRegistered) {
  const std::string path = AddMonitor("a.qmp", SafeSource());
  SetHost({Qemu(SourcePid() + 1, {{path, ""}})});
  EXPECT_THAT(Found(), ElementsAre(AllOf(HasSubstr("OUTCOME_FAILED"), HasSubstr("answers there"))));
  EXPECT_TRUE(world_.registry->snapshot()->vms.empty());
}

TEST_F(DiscoverHostTest, WhatVufdMayNotSeeIsSaid) {
  SetHost({}, 3);
  EXPECT_THAT(Found(), ElementsAre(HasSubstr("3 processes do not show vufd what they are")));
}

TEST_F(DiscoverHostTest, AHostThatCannotBeSearchedIsAnErrorNotEmpty) {
  world_.qemus_on_host.Set(absl::PermissionDeniedError("no netlink here"));
  v1::DiscoverVmsResponse response;
  EXPECT_FALSE(world_.vms->DiscoverVms(Context().get(), {}, &response).ok());
}

TEST_F(DiscoverApiTest, TooManyMatchesAreRefused) {
  for (int i = 0; i < 1025; ++i) std::ofstream(world_.directory.Path(absl::StrCat(i, ".qmp")));
  v1::DiscoverVmsResponse response;
  EXPECT_EQ(Discover(&response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(DiscoverApiTest, NoMatchIsNoError) { EXPECT_TRUE(Outcomes().empty()); }

}  // namespace
}  // namespace vuf
