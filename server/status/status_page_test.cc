#include "server/status/status_page.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StatusPageTest : public ::testing::Test {
 protected:
  StatusPageTest() {
    facts_.version = "9.9";
    facts_.host = "node-7";
    facts_.start = absl::FromUnixSeconds(1000);
    facts_.now = absl::FromUnixSeconds(4600);
    facts_.health = "READY";
    facts_.registry = registry_;
  }
  std::string Page() const { return StatusPage(facts_); }
  v1::Vm& AddVm(const std::string& id) {
    v1::Vm& vm = registry_->vms["vms/" + id];
    vm.set_qmp_socket("/run/" + id + ".qmp");
    return vm;
  }
  v1::Verdict& Judge(const std::string& vm, absl::Time when) {
    const auto record = std::make_shared<v1::DecisionRecord>();
    record->set_vm(vm);
    *record->mutable_create_time() = ToProto(when);
    facts_.decisions.push_back(record);
    return *record->mutable_verdict();
  }

  std::shared_ptr<Registry::Snapshot> registry_ = std::make_shared<Registry::Snapshot>();
  StatusFacts facts_;
};

TEST_F(StatusPageTest, SaysWhoItIsAndHowItIs) {
  EXPECT_THAT(Page(), HasSubstr("<title>vufd on node-7: READY</title>"));
  EXPECT_THAT(Page(),
              HasSubstr("<span class=\"good\">READY</span>, vufd 9.9 on node-7, started 1h"));
  EXPECT_THAT(Page(), HasSubstr("1970-01-01 01:16:40 UTC"));
  facts_.health = "RECONCILING";
  EXPECT_THAT(Page(), HasSubstr("<span class=\"bad\">RECONCILING</span>"));
}

TEST_F(StatusPageTest, EmptyAgentSaysNone) {
  EXPECT_THAT(Page(), HasSubstr("<h2>VMs (0)</h2><p>None.</p>"));
  EXPECT_THAT(Page(), Not(HasSubstr("<table>")));
}

TEST_F(StatusPageTest, AVmHasItsNewestVerdict) {
  AddVm("a");
  AddVm("b");
  v1::Verdict& newest = Judge("vms/a", facts_.now - absl::Seconds(5));
  newest.set_decision(v1::DECISION_REFUSE);
  for (int i = 0; i < 7; ++i) newest.add_blockers()->set_code(absl::StrCat("CODE_", i));
  v1::Verdict& older = Judge("vms/a", facts_.now - absl::Hours(1));
  older.set_decision(v1::DECISION_ALLOW);
  EXPECT_THAT(Page(),
              HasSubstr("<span class=\"bad\">refused</span> CODE_0, CODE_1, CODE_2, CODE_3, "
                        "CODE_4 and 2 more</td><td>5s ago"));
  EXPECT_THAT(Page(), Not(HasSubstr("allowed")));
  EXPECT_THAT(Page(), HasSubstr("/run/b.qmp</td><td>never asked</td>"));
}

TEST_F(StatusPageTest, AllowanceSaysModeAndWarnings) {
  AddVm("a");
  v1::Verdict& verdict = Judge("vms/a", facts_.now);
  verdict.set_decision(v1::DECISION_ALLOW);
  verdict.set_mode(v1::MIGRATION_MODE_STATELESS);
  EXPECT_THAT(Page(), HasSubstr("<span class=\"good\">allowed, STATELESS</span></td>"));
  verdict.add_warnings()->set_code("WARNED");
  EXPECT_THAT(Page(), HasSubstr("<span class=\"doubtful\">WARNED</span>"));
  // The zero value, and whatever else is not an allowance.
  verdict.clear_decision();
  EXPECT_THAT(Page(), HasSubstr("refused"));
}

TEST_F(StatusPageTest, EndpointsSayTheirState) {
  v1::Endpoint& endpoint = registry_->endpoints["endpoints/e"];
  endpoint.set_socket_path("/run/e.sock");
  endpoint.set_observe_error("no permission");
  EXPECT_THAT(Page(), HasSubstr("<span class=\"doubtful\">unknown</span> no permission"));
  endpoint.set_state(v1::Endpoint::STATE_ABSENT);
  EXPECT_THAT(Page(), HasSubstr("<span class=\"bad\">absent</span>"));
  endpoint.set_state(v1::Endpoint::STATE_IN_USE);
  endpoint.mutable_back_end()->set_kind("virtiofsd");
  endpoint.mutable_back_end()->set_version("1.14.0");
  endpoint.mutable_back_end()->set_pid(42);
  EXPECT_THAT(Page(), HasSubstr("<td>virtiofsd 1.14.0</td><td>42</td>"));
}

TEST_F(StatusPageTest, MigrationsSayHowFarTheyAre) {
  v1::Migration migration;
  migration.set_name("migrations/m1");
  migration.set_vm("vms/a");
  migration.mutable_destination()->mutable_other_host()->set_agent("node-8:9470");
  migration.set_state(v1::Migration::STATE_TRANSFERRING);
  migration.mutable_progress()->set_ram_total_bytes(64 << 20);
  migration.mutable_progress()->set_ram_transferred_bytes(16 << 20);
  migration.mutable_progress()->set_ram_remaining_bytes(48 << 20);
  facts_.migrations = {migration};
  EXPECT_THAT(Page(), HasSubstr("<td>m1</td><td>a</td><td>node-8:9470</td><td>TRANSFERRING</td>"
                                "<td>16 MiB sent, 48 of 64 MiB left</td>"));
  facts_.migrations[0].set_state(v1::Migration::STATE_INTERRUPTED);
  facts_.migrations[0].set_message("look at both");
  EXPECT_THAT(Page(), HasSubstr("<span class=\"bad\">INTERRUPTED</span>"));
  EXPECT_THAT(Page(), HasSubstr("look at both"));
}

TEST_F(StatusPageTest, PoliciesSayTheirRevisionAndHold) {
  v1::MigrationPolicy& policy = registry_->policies["migrationPolicies/night"];
  policy.set_revision(3);
  policy.set_priority(500);
  policy.set_enforcement(v1::ENFORCEMENT_SHADOW);
  policy.mutable_hold()->set_holder("sre");
  policy.mutable_hold()->set_reason("disk");
  *policy.mutable_hold()->mutable_expire_time() = ToProto(facts_.now + absl::Seconds(1));
  EXPECT_THAT(Page(),
              HasSubstr("<td>night</td><td>3</td><td>500</td><td>the API</td><td>in shadow</td>"));
  EXPECT_THAT(Page(), HasSubstr("sre: disk"));
  *policy.mutable_hold()->mutable_expire_time() = ToProto(facts_.now);
  EXPECT_THAT(Page(), Not(HasSubstr("sre: disk")));
}

TEST_F(StatusPageTest, WhatAGuestIsCalledBecomesNoMarkup) {
  AddVm("a").set_guest_name("<script>alert('\"&\"')</script>");
  EXPECT_THAT(Page(), HasSubstr("&lt;script&gt;alert(&#39;&quot;&amp;&quot;&#39;)&lt;/script&gt;"));
  EXPECT_THAT(Page(), Not(HasSubstr("<script>")));
}

TEST_F(StatusPageTest, LongListsAreCutAndSayHowToSeeTheRest) {
  for (size_t i = 0; i < kStatusRows + 7; ++i) AddVm(absl::StrCat("v", i));
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr(absl::StrCat("VMs (", kStatusRows + 7, ")")));
  EXPECT_THAT(page, HasSubstr("And 7 more: <code>vufctl vms list</code>"));
  size_t rows = 0;
  for (size_t at = page.find(".qmp"); at != std::string::npos; at = page.find(".qmp", at + 1)) {
    ++rows;
  }
  EXPECT_EQ(rows, kStatusRows);
}

}  // namespace
}  // namespace vuf
