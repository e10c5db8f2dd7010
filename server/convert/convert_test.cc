#include "server/convert/convert.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1700000000) + absl::Nanoseconds(5);

TEST(ConvertTimeTest, RoundTrips) {
  EXPECT_EQ(FromProto(ToProto(kNow)), kNow);
  const absl::Time before_epoch = absl::UnixEpoch() - absl::Milliseconds(1);
  EXPECT_EQ(FromProto(ToProto(before_epoch)), before_epoch);
  EXPECT_GE(ToProto(before_epoch).nanos(), 0);
}

TEST(ConvertTimeTest, ClampsInfinities) {
  EXPECT_EQ(ToProto(absl::InfiniteFuture()).seconds(), 253402300799);
  EXPECT_EQ(ToProto(absl::InfinitePast()).seconds(), -62135596800);
}

TEST(ConvertDurationTest, RoundTrips) {
  for (const absl::Duration d : {absl::ZeroDuration(), absl::Milliseconds(1500),
                                 -absl::Milliseconds(1500), absl::Hours(24)}) {
    EXPECT_EQ(FromProto(ToProto(d)), d) << d;
  }
}

TEST(ConvertDurationTest, PartsHaveTheSameSignAndInfinityIsClamped) {
  const google::protobuf::Duration negative = ToProto(-absl::Milliseconds(1500));
  EXPECT_EQ(negative.seconds(), -1);
  EXPECT_EQ(negative.nanos(), -500000000);
  EXPECT_EQ(ToProto(absl::InfiniteDuration()).seconds(), 315576000000);
}

TEST(ConvertVerdictTest, ZeroValueRefuses) {
  const v1::Verdict verdict = ToProto(Verdict());
  EXPECT_EQ(verdict.decision(), v1::DECISION_REFUSE);
  EXPECT_EQ(verdict.mode(), v1::MIGRATION_MODE_NONE);
  EXPECT_FALSE(verdict.has_evaluate_time());
}

TEST(ConvertVerdictTest, CarriesEverything) {
  Verdict in;
  in.mode = Mode::kStateless;
  in.devices = {{"fs0", "share", Mode::kStateful, "/run/fs0.sock"}};
  in.evaluated_at = kNow;
  in.fingerprint = "f00d";
  Finding blocker{"SOME_CODE", Severity::kBlocker, Side::kDestination,   "fs0",
                  "why",       "remedy",           RetryClass::kOperator};
  blocker.evidence = {{"fact", "value", false, Source::kProcfs, kNow, "pid 7"},
                      {"other", "", true, Source::kQmp, absl::InfinitePast(), "no answer"}};
  in.blockers = {blocker};
  Finding warning;
  warning.code = "LOOK";
  warning.severity = Severity::kWarning;
  in.warnings = {warning};

  const v1::Verdict out = ToProto(in);
  EXPECT_EQ(out.mode(), v1::MIGRATION_MODE_STATELESS);
  EXPECT_EQ(out.fingerprint(), "f00d");
  EXPECT_EQ(FromProto(out.evaluate_time()), kNow);
  ASSERT_EQ(out.devices_size(), 1);
  EXPECT_EQ(out.devices(0).mode(), v1::MIGRATION_MODE_STATEFUL);
  EXPECT_EQ(out.devices(0).socket_path(), "/run/fs0.sock");
  ASSERT_EQ(out.blockers_size(), 1);
  EXPECT_EQ(out.blockers(0).severity(), v1::SEVERITY_BLOCKER);
  EXPECT_EQ(out.blockers(0).side(), v1::SIDE_DESTINATION);
  EXPECT_EQ(out.blockers(0).retry_class(), v1::RETRY_CLASS_OPERATOR);
  ASSERT_EQ(out.blockers(0).evidence_size(), 2);
  EXPECT_EQ(out.blockers(0).evidence(0).source(), v1::EVIDENCE_SOURCE_PROCFS);
  EXPECT_EQ(FromProto(out.blockers(0).evidence(0).observe_time()), kNow);
  EXPECT_TRUE(out.blockers(0).evidence(1).unknown());
  EXPECT_FALSE(out.blockers(0).evidence(1).has_observe_time());
  ASSERT_EQ(out.warnings_size(), 1);
  EXPECT_EQ(out.warnings(0).severity(), v1::SEVERITY_WARNING);
}

TEST(ConvertVerdictTest, EverySourceHasItsName) {
  for (int source = 0; source <= static_cast<int>(Source::kFileSystem); ++source) {
    Verdict in;
    Finding finding;
    finding.evidence = {{"f", "v", false, static_cast<Source>(source), kNow, ""}};
    in.blockers = {finding};
    EXPECT_EQ(ToProto(in).blockers(0).evidence(0).source(), source);
  }
}

BackEndFacts KnownBackEnd() {
  BackEndFacts facts;
  facts.process = Known(ProcessId{42, 4711}, Source::kProcfs, kNow);
  facts.kind = Known(BackEndKind::kVirtiofsd, Source::kProcfs, kNow);
  facts.version = Known(Version{1, 13, 2}, Source::kBackEndExecutable, kNow);
  facts.executable = Known(std::string("/usr/libexec/virtiofsd"), Source::kProcfs, kNow);
  facts.options = Known(BackEndOptions{{"shared-dir", "/srv/share"}}, Source::kProcfs, kNow);
  facts.features = Known(std::set<std::string>{"migrate-precopy"}, Source::kProcfs, kNow);
  return facts;
}

TEST(ConvertBackEndTest, CarriesEverything) {
  const v1::BackEnd out = ToProto(KnownBackEnd());
  EXPECT_EQ(out.kind(), "virtiofsd");
  EXPECT_EQ(out.version(), "1.13.2");
  EXPECT_EQ(out.pid(), 42);
  EXPECT_EQ(out.start_ticks(), 4711u);
  EXPECT_EQ(out.shared_directory(), "/srv/share");
  EXPECT_THAT(out.features(), ElementsAre("migrate-precopy"));
}

TEST(ConvertBackEndTest, UnknownIsEmptyAndProfiledGoesByItsExecutable) {
  EXPECT_EQ(ToProto(BackEndFacts()).ByteSizeLong(), 0u);
  BackEndFacts facts = KnownBackEnd();
  facts.kind.value = BackEndKind::kProfiled;
  facts.executable.value = "/opt/bin/myfsd";
  EXPECT_EQ(ToProto(facts).kind(), "myfsd");
}

TEST(ConvertBackEndTest, CarriesTheKeeper) {
  BackEndFacts facts = KnownBackEnd();
  EXPECT_EQ(ToProto(facts).keeper_error(), "");
  facts.keeper = Unknown<KeeperFacts>("nobody answers");
  EXPECT_EQ(ToProto(facts).keeper_error(), "nobody answers");
  EXPECT_FALSE(ToProto(facts).has_keeper());
  KeeperFacts keeper;
  keeper.control_socket = "/run/fs0.control";
  keeper.instance = "i";
  keeper.session = "s";
  keeper.version = "0.6.0";
  keeper.front_ends = {{1, KeeperFacts::Role::kDriver, false},
                       {2, KeeperFacts::Role::kIdle, false}};
  keeper.phase = KeeperFacts::Phase::kSaved;
  keeper.permit = "m1";
  keeper.last_refusal = "no";
  facts.kind.value = BackEndKind::kKeeper;
  facts.keeper = Known(keeper, Source::kBackEndExecutable, kNow);
  facts.kept = Known(KeptBackEnd{{43, 9}, ProcessState::kRunning, "/usr/libexec/virtiofsd"},
                     Source::kSockDiag, kNow);
  const v1::BackEnd out = ToProto(facts);
  EXPECT_EQ(out.kind(), "vuf-keeper");
  EXPECT_EQ(out.keeper_error(), "");
  EXPECT_EQ(out.keeper().control_socket(), "/run/fs0.control");
  EXPECT_EQ(out.keeper().instance(), "i");
  EXPECT_EQ(out.keeper().session(), "s");
  EXPECT_EQ(out.keeper().version(), "0.6.0");
  EXPECT_EQ(out.keeper().front_ends(), 2u);
  EXPECT_EQ(out.keeper().phase(), "saved");
  EXPECT_EQ(out.keeper().permit(), "m1");
  EXPECT_EQ(out.keeper().last_refusal(), "no");
  EXPECT_EQ(out.keeper().back_end_pid(), 43);
  EXPECT_EQ(out.keeper().back_end_executable(), "/usr/libexec/virtiofsd");
}

VmFacts KnownVm() {
  VmFacts facts;
  facts.monitor = Known(std::string("QMP"), Source::kQmp, kNow);
  facts.uuid = Known(std::string("0-1"), Source::kQmp, kNow);
  facts.guest_name = Known(std::string("web"), Source::kQmp, kNow);
  facts.qemu_version = Known(Version{10, 0, 13}, Source::kQmp, kNow);
  facts.run_state = Known(std::string("running"), Source::kQmp, kNow);
  FsDeviceFacts device;
  device.id = "fs0";
  device.qom_path = "/machine/peripheral/fs0";
  device.tag = Known(std::string("share"), Source::kQmp, kNow);
  device.chardev =
      Known(ChardevFacts{"unix:/run/fs0.sock", "/run/fs0.sock", true}, Source::kQmp, kNow);
  device.back_end = KnownBackEnd();
  facts.devices = Known(std::vector<FsDeviceFacts>{device}, Source::kQmp, kNow);
  return facts;
}

TEST(FillObservedTest, AllIsWell) {
  v1::Vm vm;
  FillObserved(KnownVm(), &vm);
  EXPECT_EQ(vm.observe_error(), "");
  EXPECT_EQ(vm.run_state(), "running");
  EXPECT_EQ(vm.qemu_version(), "10.0.13");
  ASSERT_EQ(vm.devices_size(), 1);
  EXPECT_EQ(vm.devices(0).socket_path(), "/run/fs0.sock");
  EXPECT_TRUE(vm.devices(0).connected());
  EXPECT_EQ(vm.devices(0).back_end().pid(), 42);
}

TEST(FillObservedTest, SaysWhatIsUnknownAndWhy) {
  VmFacts facts = KnownVm();
  facts.devices.value->at(0).back_end.process = Unknown<ProcessId>("peer not found");
  facts.run_state = Unknown<std::string>("query-status: timed out");
  v1::Vm vm;
  FillObserved(facts, &vm);
  EXPECT_THAT(vm.observe_error(), AllOf(HasSubstr("back-end of fs0: peer not found"),
                                        HasSubstr("run state: query-status: timed out")));
  EXPECT_FALSE(vm.devices(0).has_back_end());
}

TEST(FillObservedTest, SilentMonitorKeepsTheRecord) {
  v1::Vm vm;
  vm.set_uuid("0-1");
  vm.set_run_state("running");
  VmFacts facts;
  facts.monitor = Unknown<std::string>("nobody listens");
  FillObserved(facts, &vm);
  EXPECT_EQ(vm.uuid(), "0-1");
  EXPECT_EQ(vm.run_state(), "");
  EXPECT_EQ(vm.observe_error(), "monitor: nobody listens");
}

TEST(ValidUtf8Test, KeepsGoodAndReplacesBad) {
  EXPECT_EQ(ValidUtf8("plain \xC3\xA9 \xF0\x9F\x98\x80"), "plain \xC3\xA9 \xF0\x9F\x98\x80");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(ValidUtf8("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(ValidUtf8("\xC0\xAF"), bad + bad);            // overlong
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), bad + bad + bad);  // surrogate
  EXPECT_EQ(ValidUtf8("\xE2\x82"), bad + bad);            // cut short
}

TEST(ValidUtf8Test, AnswersWithForeignBytesStayParseable) {
  BackEndFacts facts = KnownBackEnd();
  facts.options.value->at("shared-dir") = "/srv/\xFF";
  v1::BackEnd parsed;
  EXPECT_TRUE(parsed.ParseFromString(ToProto(facts).SerializeAsString()));
}

}  // namespace
}  // namespace vuf
