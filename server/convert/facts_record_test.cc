#include "server/convert/facts_record.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;
using ::testing::HasSubstr;

using Record = record::v1::VmFactsRecord;

// As the store does it.
absl::StatusOr<VmFacts> RoundTrip(const VmFacts& facts) {
  Record record;
  if (!record.ParseFromString(ToRecord(facts).SerializeAsString())) {
    return absl::InternalError("not parsed");
  }
  return FromRecord(record);
}

void ExpectSurvives(const VmFacts& facts) {
  const absl::StatusOr<VmFacts> again = RoundTrip(facts);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(*again == facts) << ToRecord(*again).DebugString();
}

// A keeper's device and a plain one.
Record SafeRecord() { return ToRecord(SafeKeeperFacts(1, 1).source); }

record::v1::BackEndRecord* BackEndOf(Record& record, int device) {
  return record.mutable_devices()->mutable_devices()->mutable_entries(device)->mutable_back_end();
}

void ExpectDataLoss(const Record& record, const std::string& message) {
  const absl::StatusOr<VmFacts> facts = FromRecord(record);
  ASSERT_FALSE(facts.ok()) << message;
  EXPECT_EQ(facts.status().code(), absl::StatusCode::kDataLoss) << facts.status();
  EXPECT_THAT(std::string(facts.status().message()), HasSubstr(message));
}

TEST(FactsRecordTest, SafeFactsSurvive) {
  ExpectSurvives(SafeSource());
  ExpectSurvives(SafeSource(0));
  ExpectSurvives(SafeDestination(3));
  const Facts keepers = SafeKeeperFacts(2, 1);
  ExpectSurvives(keepers.source);
  ExpectSurvives(*keepers.destination);
}

TEST(FactsRecordTest, SharedMemorySurvives) {
  Facts facts = SafeFacts();
  MakeRamShared(facts);
  ExpectSurvives(facts.source);
}

TEST(FactsRecordTest, UnknownSurvives) {
  ExpectSurvives(VmFacts());
  VmFacts facts;
  facts.devices = Unknown<std::vector<FsDeviceFacts>>("no answer", Source::kQmp);
  ExpectSurvives(facts);
  // A device of which nothing is known.
  facts.devices = Known(std::vector<FsDeviceFacts>(1), Source::kQmp, absl::InfinitePast());
  ExpectSurvives(facts);
}

TEST(FactsRecordTest, KnownAndEmptyIsNotUnknown) {
  VmFacts facts;
  facts.migration_status = Known(std::string(), Source::kQmp, SafeTime());
  facts.blocked_reasons = Known(std::vector<std::string>(), Source::kQmp, SafeTime());
  facts.devices = Known(std::vector<FsDeviceFacts>(), Source::kQmp, SafeTime());
  ExpectSurvives(facts);
  EXPECT_TRUE(RoundTrip(facts)->devices.known());
}

TEST(FactsRecordTest, TextNeedNotBeUtf8) {
  const std::string bad("/srv/\xff\xc0\0\x80", 9);
  VmFacts facts = SafeSource();
  facts.qmp_socket = bad;
  facts.guest_name = Known(bad, Source::kQmp, SafeTime(), bad);
  facts.capabilities.value->emplace(bad, true);
  BackEndFacts& back_end = facts.devices.value->front().back_end;
  back_end.options.value->emplace(bad, bad);
  back_end.features.value->insert(bad);
  back_end.share.value->mount_source = bad;
  ExpectSurvives(facts);
}

TEST(FactsRecordTest, TimesSurviveToTheNanosecond) {
  VmFacts facts = SafeSource();
  for (const absl::Time time :
       {absl::InfinitePast(), absl::UnixEpoch(), absl::UnixEpoch() - absl::Nanoseconds(1),
        SafeTime() + absl::Nanoseconds(999999999)}) {
    facts.monitor.observed_at = time;
    ExpectSurvives(facts);
  }
  // What nobody can have observed must not become observable.
  facts.monitor.observed_at = absl::InfiniteFuture();
  EXPECT_GT(RoundTrip(facts)->monitor.observed_at, SafeTime() + absl::Hours(24 * 365 * 1000));
}

TEST(FactsRecordTest, EnumsOutOfRangeAreDataLoss) {
  for (const int number : {-1, 10, 99, 1 << 30}) {
    Record record = SafeRecord();
    record.mutable_monitor()->set_source(static_cast<record::v1::SourceRecord>(number));
    ExpectDataLoss(record, "VmFactsRecord.monitor.source has the value " + std::to_string(number));

    record = SafeRecord();
    BackEndOf(record, 1)->mutable_process_state()->set_process_state(
        static_cast<record::v1::ProcessStateRecord>(number));
    ExpectDataLoss(record,
                   "VmFactsRecord.devices.devices.entries[1].back_end.process_state.process_state");

    record = SafeRecord();
    BackEndOf(record, 1)->mutable_kind()->set_back_end_kind(
        static_cast<record::v1::BackEndKindRecord>(number));
    ExpectDataLoss(record, "back_end.kind.back_end_kind has the value");

    record = SafeRecord();
    BackEndOf(record, 0)->mutable_keeper()->mutable_keeper()->set_phase(
        static_cast<record::v1::KeeperPhaseRecord>(number));
    ExpectDataLoss(record, "entries[0].back_end.keeper.keeper.phase has the value");

    record = SafeRecord();
    BackEndOf(record, 0)->mutable_keeper()->mutable_keeper()->mutable_front_ends(1)->set_role(
        static_cast<record::v1::KeeperRoleRecord>(number));
    ExpectDataLoss(record, "keeper.front_ends[1].role has the value");

    record = SafeRecord();
    BackEndOf(record, 0)->mutable_kept()->mutable_kept()->set_state(
        static_cast<record::v1::ProcessStateRecord>(number));
    ExpectDataLoss(record, "back_end.kept.kept.state has the value");
  }
}

// A number that the model has no enumerator for is written as one that cannot be read.
TEST(FactsRecordTest, NoEnumeratorIsDataLoss) {
  VmFacts facts = SafeSource();
  facts.devices.value->front().back_end.kind.value = static_cast<BackEndKind>(77);
  EXPECT_EQ(RoundTrip(facts).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FactsRecordTest, ValueOfAnotherKindIsDataLoss) {
  Record record = SafeRecord();
  record.mutable_uuid()->set_bool_value(true);
  ExpectDataLoss(record, "VmFactsRecord.uuid.bytes_value is missing, bool_value is set instead");
}

TEST(FactsRecordTest, NoTimeIsDataLoss) {
  Record record = SafeRecord();
  record.mutable_uuid()->mutable_observed_at()->set_nanos(1000000000);
  ExpectDataLoss(record, "VmFactsRecord.uuid.observed_at is no valid time");
  record.mutable_uuid()->mutable_observed_at()->set_nanos(-1);
  ExpectDataLoss(record, "VmFactsRecord.uuid.observed_at is no valid time");
  record.mutable_uuid()->mutable_observed_at()->set_nanos(0);
  record.mutable_uuid()->mutable_observed_at()->set_seconds(INT64_MAX);
  ExpectDataLoss(record, "VmFactsRecord.uuid.observed_at is no valid time");
}

TEST(FactsRecordTest, KeyTwiceIsDataLoss) {
  Record record = SafeRecord();
  auto* const list = record.mutable_capabilities()->mutable_capabilities();
  *list->add_entries() = list->entries(0);
  ExpectDataLoss(record, "VmFactsRecord.capabilities.capabilities.entries has an entry twice");
}

TEST(FactsRecordTest, EmptyRecordIsDataLoss) {
  ExpectDataLoss(Record(), "VmFactsRecord.qmp_socket is missing");
}

// So that a record from before a fact was added stays readable.
TEST(FactsRecordTest, FactThatIsNotThereIsUnknown) {
  Record record = SafeRecord();
  record.clear_uuid();
  BackEndOf(record, 0)->clear_keeper();
  const absl::StatusOr<VmFacts> facts = FromRecord(record);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->uuid, Unknown<std::string>("not in the record"));
  EXPECT_FALSE(facts->devices.value->front().back_end.keeper.known());
}

bool MayBeAbsent(const FieldDescriptor* field) {
  const std::string& name = field->full_name();
  return field->is_repeated() || field->real_containing_oneof() != nullptr ||
         (field->message_type() != nullptr && field->message_type()->name() == "EvidenceRecord") ||
         name == "vuf.record.v1.EvidenceRecord.observed_at" ||
         name == "vuf.record.v1.MemoryBackendRecord.path" ||
         name == "vuf.record.v1.MemoryBackendRecord.file";
}

// Takes each field below `part`, which is in `record`, away in turn.
void LoseEach(const Record& record, const VmFacts& facts, Message& part, int* lost) {
  const Reflection& reflection = *part.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(part, &fields);
  for (const FieldDescriptor* field : fields) {
    SCOPED_TRACE(field->full_name());
    const bool is_message = field->message_type() != nullptr;
    if (is_message && field->message_type()->file() == Record::descriptor()->file()) {
      if (!field->is_repeated()) {
        LoseEach(record, facts, *reflection.MutableMessage(&part, field), lost);
      }
      for (int i = 0; field->is_repeated() && i < reflection.FieldSize(part, field); ++i) {
        LoseEach(record, facts, *reflection.MutableRepeatedMessage(&part, field, i), lost);
      }
    }
    const std::unique_ptr<Message> saved(part.New());
    saved->CopyFrom(part);
    reflection.ClearField(&part, field);
    if (MayBeAbsent(field)) {
      EXPECT_TRUE(FromRecord(record).ok()) << FromRecord(record).status();
      EXPECT_FALSE(*FromRecord(record) == facts);
    } else {
      ExpectDataLoss(record, field->name() + " is missing");
    }
    part.CopyFrom(*saved);
    ++*lost;
  }
}

TEST(FactsRecordTest, NothingLostReadsAsIfItWereThere) {
  Facts facts = SafeKeeperFacts(1, 1);
  MakeRamShared(facts);
  Record record = ToRecord(facts.source);
  int lost = 0;
  LoseEach(record, facts.source, record, &lost);
  EXPECT_GT(lost, 300);
  EXPECT_TRUE(*FromRecord(record) == facts.source);
}

// Everything that a decision rests on, with nothing at its default.
// Every setting there is.
EffectivePolicy WholePolicy() {
  const std::string by = "migrationPolicies/p@3";
  EffectivePolicy policy;
  policy.matching = {by};
  policy.devices = {{"fs0", {ModesAllowed{true, false}, by}}, {"fs1", {}}};
  policy.same_host = {false, by};
  policy.other_host = {true, by};
  policy.window = {WindowState{false, SafeTime()}, by};
  policy.holds = {{by, "ann", "why", SafeTime()}, {by, "bob", "because", std::nullopt}};
  policy.warnings = {{"SANDBOX_DIFFERS", false, by}};
  policy.limits = {{"migrationPolicies/p", 3, 2}};
  policy.accepted = {{"acknowledgements/a", "CODE", "fs0", "ann", "why", SafeTime()}};
  policy.max_bandwidth = {1000, by};
  policy.max_downtime = {absl::Milliseconds(3), by};
  policy.max_timeout = {absl::Hours(1), by};
  policy.convergence = {{{{absl::Seconds(1), absl::Milliseconds(5), std::nullopt},
                          {absl::Seconds(2), std::nullopt, 30},
                          {absl::Seconds(3), std::nullopt, std::nullopt}}},
                        by};
  return policy;
}

Facts WholeFacts() {
  Facts facts = SafeKeeperFacts(1, 1);
  MakeSecondStage(facts, "p1");
  facts.request.allow_stateful = true;
  facts.request.shared_ram = true;
  facts.endpoints.push_back(
      {"endpoints/a", "/run/a.sock", ProcessId{1, 2}, FileId{3, 4}, "boot", 5});
  facts.endpoints.push_back({"endpoints/b", "/run/b.sock", {}, {}, "", 0});
  facts.running_migration = "migrations/m1";
  facts.max_age = absl::Milliseconds(1500);
  facts.shadow_policy = WholePolicy();
  facts.other_host = OtherHost{Side::kSource, "a:1", facts.boot_id, {"CODE: why."}};
  return facts;
}

TEST(FactsRecordTest, WholeFactsSurvive) {
  for (const Facts& facts : {WholeFacts(), SafeFacts(), Facts()}) {
    const std::string bytes = SerializeFacts(facts);
    const absl::StatusOr<Facts> again = ParseFacts(bytes);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(SerializeFacts(*again), bytes);
    EXPECT_TRUE(again->source == facts.source);
    EXPECT_TRUE(again->destination == facts.destination);
    EXPECT_EQ(again->other_host.has_value(), facts.other_host.has_value());
    EXPECT_EQ(again->request.own_permits, facts.request.own_permits);
    EXPECT_EQ(again->max_age, facts.max_age);
  }
}

TEST(FactsRecordTest, NothingLostOfARequestOrAnEndpointReadsAsIfItWereThere) {
  const record::v1::FactsRecord whole = ToRecord(WholeFacts());
  int lost = 0;
  const auto lose_each = [&](const std::function<Message*(record::v1::FactsRecord&)>& part) {
    record::v1::FactsRecord record = whole;
    std::vector<const FieldDescriptor*> fields;
    part(record)->GetReflection()->ListFields(*part(record), &fields);
    for (const FieldDescriptor* field : fields) {
      record = whole;
      part(record)->GetReflection()->ClearField(part(record), field);
      const absl::StatusOr<Facts> facts = FromRecord(record);
      if (facts.ok()) {
        EXPECT_NE(SerializeFacts(*facts), SerializeFacts(WholeFacts())) << field->full_name();
      } else {
        EXPECT_THAT(std::string(facts.status().message()), HasSubstr(field->name()));
      }
      ++lost;
    }
  };
  lose_each([](auto& record) { return &record; });
  lose_each([](auto& record) { return record.mutable_request(); });
  lose_each([](auto& record) { return record.mutable_request()->mutable_own_permits(0); });
  lose_each([](auto& record) { return record.mutable_endpoints(0); });
  lose_each([](auto& record) { return record.mutable_other_host(); });
  EXPECT_EQ(lost, 11 + 6 + 2 + 6 + 4);
}

TEST(FactsRecordTest, EverySettingOfAPolicySurvives) {
  Facts facts = SafeFacts();
  facts.policy = Known(WholePolicy(), Source::kRegistry, SafeTime());
  facts.shadow_policy = WholePolicy();
  const absl::StatusOr<Facts> read = FromRecord(ToRecord(facts));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->policy, facts.policy);
  EXPECT_EQ(read->shadow_policy, facts.shadow_policy);
}

// It could be a reason for another decision.
TEST(FactsRecordTest, FactsThatAreNotKnownAreNotRead) {
  record::v1::FactsRecord record = ToRecord(SafeFacts());
  Message* const device =
      record.mutable_source()->mutable_devices()->mutable_devices()->mutable_entries(0);
  device->GetReflection()->MutableUnknownFields(device)->AddVarint(999, 1);
  EXPECT_THAT(std::string(ParseFacts(record.SerializeAsString()).status().message()),
              HasSubstr("not known to this program"));
}

}  // namespace
}  // namespace vuf
