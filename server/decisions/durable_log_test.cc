// What is kept of decisions, and what survives.
#include "server/decisions/durable_log.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/fake_store.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Lost = DurableDecisionLog::Lost;

class DurableLogTest : public ::testing::Test {
 protected:
  void Open() {
    auto opened = DurableDecisionLog::Open(&store_, &clock_, options_,
                                           [this](Lost why, size_t count) { lost_[why] += count; });
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }
  // As an orderly end of vufd and a new start.
  void Restart() {
    log_.reset();
    Open();
  }
  static v1::DecisionRecord Record(const std::string& vm = "vms/a", size_t bytes = 100) {
    v1::DecisionRecord record;
    record.set_vm(vm);
    record.set_facts(std::string(bytes, 'x'));
    record.mutable_verdict()->set_decision(v1::DECISION_ALLOW);
    return record;
  }
  std::string Add(v1::DecisionRecord record = Record()) {
    log_->Add(record);
    return record.name();
  }
  std::string AddDurably(v1::DecisionRecord record = Record()) {
    const absl::Status status = log_->AddDurably(record);
    EXPECT_TRUE(status.ok()) << status;
    return record.name();
  }
  std::vector<std::string> Names(const std::string& vm = "") {
    std::vector<std::string> names;
    for (const DecisionLog::Shared& record : log_->List(vm)) names.push_back(record->name());
    return names;
  }
  std::vector<std::string> Stored() {
    std::vector<std::string> names;
    const absl::StatusOr<std::vector<vuf::Record>> records = store_.ReadAll(Table::kDecisions);
    for (const vuf::Record& record : *records) names.push_back(record.key);
    return names;
  }

  FakeStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1700000000)};
  DurableDecisionLog::Options options_;
  std::map<Lost, size_t> lost_;
  std::unique_ptr<DurableDecisionLog> log_;
};

TEST_F(DurableLogTest, ARecordIsReadableAtOnceAndNamesItself) {
  Open();
  v1::DecisionRecord record = Record();
  log_->Add(record);
  const absl::StatusOr<v1::DecisionRecord> read = log_->Get(record.name());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), record.SerializeAsString());
  EXPECT_EQ(read->verdict().decision_record(), record.name());
  EXPECT_EQ(read->create_time().seconds(), 1700000000);
  EXPECT_EQ(read->facts(), std::string(100, 'x'));
}

TEST_F(DurableLogTest, AListIsNewestFirstShortAndOfOneVm) {
  Open();
  const std::string first = Add(), second = Add(Record("vms/b")), third = Add();
  EXPECT_THAT(Names(), ElementsAre(third, second, first));
  EXPECT_THAT(Names("vms/b"), ElementsAre(second));
  EXPECT_EQ(log_->List("").front()->facts(), "");
}

TEST_F(DurableLogTest, ADurableRecordIsInTheStoreWhenItReturns) {
  Open();
  const std::string name = AddDurably();
  EXPECT_THAT(Stored(), ElementsAre(name));
  EXPECT_TRUE(log_->Get(name).ok());
}

TEST_F(DurableLogTest, ADurableRecordThatCannotBeWrittenIsAnErrorAndNotThere) {
  Open();
  store_.FailWrites(absl::ResourceExhaustedError("no space left"));
  v1::DecisionRecord record = Record();
  const absl::Status status = log_->AddDurably(record);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(record.name(), "");
  EXPECT_EQ(record.verdict().decision_record(), "");
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_EQ(lost_[Lost::kStore], 1u);
}

TEST_F(DurableLogTest, AddWaitsForNoDisk) {
  Open();
  store_.HoldWrites();
  const std::string first = Add();
  ASSERT_TRUE(store_.AwaitHeldWrite(absl::Seconds(20)));
  const std::string second = Add();
  EXPECT_THAT(Names(), ElementsAre(second, first));
  EXPECT_THAT(Stored(), IsEmpty());
  store_.ReleaseWrites();
}

TEST_F(DurableLogTest, WhatWaitsIsWrittenTogether) {
  Open();
  store_.HoldWrites();
  Add();
  ASSERT_TRUE(store_.AwaitHeldWrite(absl::Seconds(20)));
  for (int i = 0; i < 10; ++i) Add();
  store_.ReleaseWrites();
  log_.reset();
  EXPECT_THAT(store_.writes(), ElementsAre(1u, 10u));
  EXPECT_THAT(Stored(), SizeIs(11));
}

TEST_F(DurableLogTest, AnOverflowIsCountedAndTheRecordStaysReadableUntilTheEnd) {
  options_.queue = 2;
  Open();
  store_.HoldWrites();
  Add();
  ASSERT_TRUE(store_.AwaitHeldWrite(absl::Seconds(20)));
  Add();
  Add();
  EXPECT_THAT(lost_, IsEmpty());
  const std::string beyond = Add();
  EXPECT_EQ(lost_[Lost::kQueueFull], 1u);
  EXPECT_TRUE(log_->Get(beyond).ok());
  store_.ReleaseWrites();
  Restart();
  EXPECT_THAT(Names(), SizeIs(3));
  EXPECT_EQ(log_->Get(beyond).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DurableLogTest, AStoreThatFailsIsCountedAndDoesNotEndTheWriter) {
  Open();
  store_.FailWrites(absl::InternalError("disk"));
  const std::string lost = Add();
  log_.reset();
  EXPECT_EQ(lost_[Lost::kStore], 1u);
  EXPECT_THAT(Stored(), IsEmpty());
  Open();
  const std::string kept = Add();
  Restart();
  EXPECT_THAT(Names(), ElementsAre(kept));
}

TEST_F(DurableLogTest, ARestartHasEverythingAndGoesOnWithNewNames) {
  Open();
  const std::string first = Add(), second = AddDurably();
  Restart();
  EXPECT_THAT(Names(), ElementsAre(second, first));
  EXPECT_EQ(log_->Get(first)->facts(), std::string(100, 'x'));
  // The clock stands, so only what was read can keep the names apart.
  const std::string third = Add();
  EXPECT_THAT(Names(), ElementsAre(third, second, first));
}

TEST_F(DurableLogTest, ANameThatWasLostWithACrashIsNotGivenAgain) {
  Open();
  store_.FailWrites(absl::InternalError("crashed"));
  const std::string lost = Add();
  Restart();
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_NE(Add(), lost);
}

TEST_F(DurableLogTest, TheOldestGoesAlsoFromTheStore) {
  options_.limits.records = 2;
  Open();
  const std::string first = AddDurably(), second = AddDurably(), third = AddDurably();
  EXPECT_THAT(Names(), ElementsAre(third, second));
  EXPECT_THAT(std::string(log_->Get(first).status().message()), HasSubstr("not kept for ever"));
  log_.reset();
  EXPECT_THAT(Stored(), ElementsAre(second, third));
}

TEST_F(DurableLogTest, BytesAreBoundedAndTheNewestStays) {
  options_.limits.bytes = 1000;
  Open();
  AddDurably(Record("vms/a", 400));
  const std::string second = AddDurably(Record("vms/a", 400));
  EXPECT_THAT(Names(), SizeIs(2));
  const std::string third = AddDurably(Record("vms/a", 400));
  EXPECT_THAT(Names(), ElementsAre(third, second));
  const std::string large = AddDurably(Record("vms/a", 5000));
  EXPECT_THAT(Names(), ElementsAre(large));
}

TEST_F(DurableLogTest, ALowerLimitHoldsAfterTheRestart) {
  Open();
  AddDurably();
  const std::string second = AddDurably();
  options_.limits.records = 1;
  Restart();
  EXPECT_THAT(Names(), ElementsAre(second));
  log_.reset();
  EXPECT_THAT(Stored(), ElementsAre(second));
}

TEST_F(DurableLogTest, ADamagedRecordIsDataLoss) {
  ASSERT_TRUE(store_.Write({{Table::kDecisions, "decisions/d0000000000000001", "\xff"}}).ok());
  const auto opened = DurableDecisionLog::Open(&store_, &clock_, options_, [](auto...) {});
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("decisions/d0000000000000001"));
}

}  // namespace
}  // namespace vuf
