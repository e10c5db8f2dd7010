// What the ledger makes of a step that the protocol does not have.
#include "server/migration/ledger.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/fake_store.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    v1::Migration migration;
    migration.set_vm("vms/guest");
    name_ = ledger_.Add(migration, RequestKey{})->migration.name();
  }

  v1::Migration::State Stored() {
    v1::Migration migration;
    EXPECT_TRUE(migration.ParseFromString(store_.ReadAll(Table::kMigrations)->front().value));
    return migration.state();
  }
  v1::Migration::State Visible() const { return ledger_.Get(name_)->state(); }

  FakeStore store_;
  SystemClock clock_;
  Ledger ledger_{&store_, &clock_, {}, nullptr};
  std::string name_;
};

TEST_F(LedgerTest, AStepThatDoesNotExistIsNotTaken) {
  const absl::Status advanced = ledger_.Advance(name_, v1::Migration::STATE_COMMITTED);
  EXPECT_EQ(advanced.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(advanced.message()), HasSubstr("from EVALUATING to COMMITTED"));
  EXPECT_EQ(Stored(), v1::Migration::STATE_EVALUATING);
  EXPECT_EQ(Visible(), v1::Migration::STATE_EVALUATING);
}

TEST_F(LedgerTest, NorIsItShown) {
  ledger_.Show(name_, [](v1::Migration& migration) {
    migration.set_state(v1::Migration::STATE_SWITCHING_OVER);
    migration.set_message("shown");
  });
  EXPECT_EQ(Visible(), v1::Migration::STATE_EVALUATING);
  EXPECT_EQ(ledger_.Get(name_)->message(), "shown");
}

// One that cannot end would keep its VM, and its place, until somebody mends the store.
TEST_F(LedgerTest, AnEndIsTakenFromAnywhere) {
  ledger_.End(name_, v1::Migration::STATE_SUCCEEDED, "");
  EXPECT_EQ(Stored(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_EQ(ledger_.RunningOf("vms/guest"), "");
}

TEST_F(LedgerTest, AnEndIsTheLastOne) {
  ledger_.End(name_, v1::Migration::STATE_FAILED, "first");
  ledger_.End(name_, v1::Migration::STATE_INTERRUPTED, "second");
  EXPECT_EQ(Stored(), v1::Migration::STATE_FAILED);
  EXPECT_EQ(Visible(), v1::Migration::STATE_FAILED);
}

}  // namespace
}  // namespace vuf
