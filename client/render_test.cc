#include "client/render.h"

#include <sstream>

#include "client/progress.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace vuf::cli {
namespace {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

constexpr char kRefusal[] = R"pb(
  decision: DECISION_REFUSE
  mode: MIGRATION_MODE_NONE
  devices { device: "fs0" tag: "data" mode: MIGRATION_MODE_NONE socket_path: "/run/a.sock" }
  devices { device: "fs1" tag: "home" mode: MIGRATION_MODE_STATEFUL socket_path: "/run/b.sock" }
  blockers {
    code: "BACK_END_LACKS_DEVICE_STATE"
    severity: SEVERITY_BLOCKER
    side: SIDE_SOURCE
    subject: "fs0"
    message: "The back-end of fs0, virtiofsd-c 7.2.0, cannot hand over its state, so QEMU would fail at the end."
    remedy: "Use virtiofsd 1.11 or later for this device."
    retry_class: RETRY_CLASS_OPERATOR
    evidence {
      fact: "print-capabilities.migrate-precopy"
      value: "absent"
      source: EVIDENCE_SOURCE_BACK_END_EXECUTABLE
      observe_time { seconds: 1767225600 }
      detail: "/usr/lib/qemu/virtiofsd"
    }
    evidence { fact: "query-migrate-capabilities.return-path" unknown: true detail: "no answer" }
  }
  warnings {
    code: "DOWNTIME_LIMIT_LOW"
    severity: SEVERITY_WARNING
    subject: "request"
    message: "A low limit."
  }
  fingerprint: "abc123"
)pb";

TEST(VerdictTextTest, ARefusalShowsEveryReasonInEighty) {
  EXPECT_EQ(VerdictText("vms/web", FromText<v1::Verdict>(kRefusal), Look{80, false}),
            R"(REFUSED  vms/web may not migrate (1 blocker, 1 warning)

DEVICE  TAG   MODE      SOCKET
fs0     data  none      /run/a.sock
fs1     home  stateful  /run/b.sock

BLOCKER BACK_END_LACKS_DEVICE_STATE (fs0, source)
  The back-end of fs0, virtiofsd-c 7.2.0, cannot hand over its state, so QEMU
  would fail at the end.
  evidence    print-capabilities.migrate-precopy = absent (back-end-executable,
              2026-01-01 00:00:00 UTC): /usr/lib/qemu/virtiofsd
  evidence    query-migrate-capabilities.return-path is unknown (nobody looked):
              no answer
  remedy      Use virtiofsd 1.11 or later for this device.
  try again   when somebody has acted on the host

WARNING DOWNTIME_LIMIT_LOW (request)
  A low limit.

fingerprint abc123
)");
}

TEST(VerdictTextTest, AnAllowanceNamesTheMode) {
  const auto verdict = FromText<v1::Verdict>(R"pb(
    decision: DECISION_ALLOW
    mode: MIGRATION_MODE_STATEFUL
    devices { device: "fs0" tag: "data" mode: MIGRATION_MODE_STATEFUL socket_path: "/run/a.sock" }
  )pb");
  EXPECT_EQ(VerdictText("vms/web", verdict, Look{80, false}),
            "ALLOWED  vms/web may migrate, stateful (0 blockers, 0 warnings)\n\n"
            "DEVICE  TAG   MODE      SOCKET\n"
            "fs0     data  stateful  /run/a.sock\n");
}

TEST(VerdictTextTest, ColourOnlyWhenAsked) {
  const auto verdict = FromText<v1::Verdict>(kRefusal);
  EXPECT_EQ(VerdictText("v", verdict, Look{80, false}).find('\x1b'), std::string::npos);
  EXPECT_EQ(VerdictText("v", verdict, Look{80, true}).find("\x1b[31mREFUSED\x1b[0m"), 0u);
}

TEST(VmTextTest, AGuestCannotSendTheTerminalEscapes) {
  const auto vm = FromText<v1::Vm>(R"pb(
    name: "vms/web"
    guest_name: "a\033]0;pwned\007b"
    devices { id: "fs0" tag: "x\302\233y" type: "vhost-user-fs-pci" connected: true }
  )pb");
  EXPECT_EQ(VmText(vm, Look{}),
            "vm:     vms/web\n"
            "guest:  a\\x1b]0;pwned\\x07b\n\n"
            "DEVICE  TAG       TYPE               CONNECTED  BACK-END  SOCKET\n"
            "fs0     x\\u009by  vhost-user-fs-pci  yes        -         -\n");
}

constexpr char kKept[] = R"pb(
  kind: "vuf-keeper"
  version: "0.1.0"
  pid: 40
  keeper {
    control_socket: "/run/k/control"
    instance: "aa"
    session: "bb"
    phase: "armed"
    permit: "p1"
    front_ends: 2
    version: "0.1.0"
    back_end_pid: 41
    back_end_executable: "/usr/libexec/virtiofsd"
    last_refusal: "no permit"
  }
)pb";

TEST(VmTextTest, KeepersHaveATableOfTheirOwn) {
  v1::Vm vm = FromText<v1::Vm>(R"pb(
    name: "vms/web"
    devices { id: "fs0" tag: "a" type: "t" connected: true }
    devices {
      id: "fs1"
      tag: "b"
      type: "t"
      connected: true
      back_end { kind: "vuf-keeper" pid: 7 keeper_error: "no answer" }
    }
  )pb");
  *vm.mutable_devices(0)->mutable_back_end() = FromText<v1::BackEnd>(kKept);
  EXPECT_EQ(
      VmText(vm, Look{}),
      "vm:  vms/web\n\n"
      "DEVICE  TAG  TYPE  CONNECTED  BACK-END          SOCKET\n"
      "fs0     a    t     yes        vuf-keeper 0.1.0  -\n"
      "fs1     b    t     yes        vuf-keeper        -\n\n"
      "DEVICE  HAND-OVER  FRONT-ENDS  PERMIT  KEEPS                            CONTROL SOCKET\n"
      "fs0     armed      2           p1      /usr/libexec/virtiofsd (pid 41)  /run/k/control\n\n"
      "The keeper of fs0 refused last: no permit\n"
      "The keeper of fs1 could not be asked: no answer\n");
}

TEST(EndpointTextTest, AKeeperTellsItsSession) {
  v1::Endpoint endpoint;
  endpoint.set_name("endpoints/a");
  *endpoint.mutable_back_end() = FromText<v1::BackEnd>(kKept);
  const std::string text = EndpointText(endpoint, Look{});
  for (const char* line :
       {"session:         bb\n", "instance:        aa\n",
        "keeps:           /usr/libexec/virtiofsd (pid 41)\n", "front-ends:      2\n",
        "hand-over:       armed\n", "permit:          p1\n", "last refusal:    no permit\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(ListsTest, AlignAndSayWhenEmpty) {
  const auto endpoints = FromText<v1::ListEndpointsResponse>(R"pb(
    endpoints {
      name: "endpoints/a"
      socket_path: "/run/a.sock"
      state: STATE_IN_USE
      back_end { kind: "virtiofsd" version: "1.14.0" pid: 17 }
      generation: 3
    }
    endpoints { name: "endpoints/long-name" socket_path: "/run/b.sock" generation: 1 }
  )pb");
  EXPECT_EQ(EndpointsText(endpoints),
            "ENDPOINT   STATE        BACK-END          PID  GENERATION  SOCKET\n"
            "a          in-use       virtiofsd 1.14.0  17   3           /run/a.sock\n"
            "long-name  unspecified  -                 -    1           /run/b.sock\n");
  EXPECT_EQ(EndpointsText({}), "No endpoint is registered.\n");
}

TEST(MigrationTextTest, TheEndShowsDowntimeAndTotalTime) {
  const auto migration = FromText<v1::Migration>(R"pb(
    name: "migrations/m1"
    vm: "vms/web"
    destination { same_host { qmp_socket: "/run/dst.qmp" } }
    state: STATE_SUCCEEDED
    verdict { mode: MIGRATION_MODE_STATEFUL }
    progress {
      ram_transferred_bytes: 1610612736
      ram_total_bytes: 2147483648
      dirty_sync_count: 4
      downtime { nanos: 41000000 }
      total_time { seconds: 185 }
    }
  )pb");
  EXPECT_EQ(MigrationText(migration, Look{}),
            "migration:   migrations/m1\n"
            "vm:          vms/web\n"
            "to:          /run/dst.qmp\n"
            "state:       succeeded\n"
            "mode:        stateful\n"
            "memory:      1.5 GiB sent of 2.0 GiB in 4 rounds\n"
            "downtime:    41 ms\n"
            "total time:  3 min 5 s\n");
}

TEST(MigrationTextTest, ASequentialOneShowsItsFileAndItsPermits) {
  const auto migration = FromText<v1::Migration>(R"pb(
    name: "migrations/m1"
    vm: "vms/web"
    destination { sequential { qmp_socket: "/run/dst.qmp" state_file: "/var/s" } }
    ram_transfer: RAM_TRANSFER_SHARED
    state: STATE_AWAITING_DESTINATION
    message: "no QEMU yet"
    permits {
      device: "fs0"
      mode: MIGRATION_MODE_STATELESS
      permit: "p1"
      pid: 40
      control_socket: "/run/k/control"
    }
  )pb");
  EXPECT_EQ(MigrationText(migration, Look{}),
            "migration:   migrations/m1\n"
            "vm:          vms/web\n"
            "to:          /run/dst.qmp\n"
            "state file:  /var/s\n"
            "ram:         shared, not copied\n"
            "state:       awaiting-destination\n\n"
            "DEVICE  MODE       PERMIT  KEEPER PID  CONTROL SOCKET\n"
            "fs0     stateless  p1      40          /run/k/control\n\n"
            "no QEMU yet\n");
}

v1::Migration Transferring(uint64_t remaining) {
  v1::Migration migration;
  migration.set_state(v1::Migration::STATE_TRANSFERRING);
  migration.mutable_progress()->set_ram_total_bytes(1000);
  migration.mutable_progress()->set_ram_remaining_bytes(remaining);
  migration.mutable_progress()->set_dirty_sync_count(1);
  return migration;
}

TEST(ProgressTest, LinesComeWithANewStateOrAnotherTenth) {
  std::ostringstream out;
  ProgressDisplay progress(out, false, 80);
  v1::Migration preparing;
  preparing.set_state(v1::Migration::STATE_PREPARING);
  progress.Show(preparing);
  for (const int remaining : {1000, 980, 890, 950, 850, 100})
    progress.Show(Transferring(remaining));
  progress.End();
  EXPECT_EQ(out.str(),
            "preparing\n"
            "transferring 0%  1000 B left, round 1\n"
            "transferring 11%  890 B left, round 1\n"
            "transferring 90%  100 B left, round 1\n");
}

TEST(ProgressTest, WhatADestinationIsMissingIsSaidOncePerMessage) {
  std::ostringstream out;
  ProgressDisplay progress(out, false, 80);
  v1::Migration awaiting;
  awaiting.set_state(v1::Migration::STATE_AWAITING_DESTINATION);
  progress.Show(awaiting);
  awaiting.set_message("refused: a");
  progress.Show(awaiting);
  progress.Show(awaiting);
  EXPECT_EQ(out.str(), "awaiting-destination\nrefused: a\n");
}

TEST(ProgressTest, TheBarIsRedrawnInOneLine) {
  std::ostringstream out;
  ProgressDisplay progress(out, true, 80);
  progress.Show(Transferring(500));
  progress.End();
  EXPECT_EQ(out.str(),
            "\r\x1b[K[###############...............]  50%  transferring  500 B left, round 1\n");
}

}  // namespace
}  // namespace vuf::cli
