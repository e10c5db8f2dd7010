// Facts about a migration between two hosts: each agent looks at its own side, and tells the other.
#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"
#include "server/convert/facts_record.h"
#include "server/convert/peer_facts.h"
#include "server/decision/evaluate.h"
#include "server/migration/gather.h"
#include "server/migration/policy_subject.h"

namespace vuf {
namespace {

void AddModes(const Request& request, v1::IncomingMigration& incoming) {
  if (request.allow_stateless) incoming.add_allowed_modes(v1::MIGRATION_MODE_STATELESS);
  if (request.allow_stateful) incoming.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  incoming.set_ram_transfer(request.shared_ram ? v1::RAM_TRANSFER_SHARED : v1::RAM_TRANSFER_COPY);
}

// What both agents see they need not both say. Policies are each host's own.
void AddRefusals(const v1::Verdict& verdict, Facts& facts) {
  std::set<std::string> known;
  for (const Finding& finding : Evaluate(facts).blockers) known.insert(finding.code);
  for (const v1::Finding& finding : verdict.blockers()) {
    const bool own = absl::StartsWith(finding.code(), "POLICY_");
    if (!own && known.count(finding.code()) > 0) continue;
    facts.other_host->refusals.push_back(absl::StrCat(finding.code(), ": ", finding.message()));
  }
  if (verdict.decision() != v1::DECISION_ALLOW && verdict.blockers().empty()) {
    facts.other_host->refusals.push_back("it refuses without a reason.");
  }
}

}  // namespace

v1::IncomingMigration Gatherer::IncomingOf(const GatherRequest& request, const Facts& facts) const {
  v1::IncomingMigration incoming;
  incoming.set_migration(request.migration);
  incoming.set_source_agent(peers_.own_address);
  incoming.set_vm(request.vm);
  const std::shared_ptr<const Registry::Snapshot> registry = registry_->snapshot();
  const auto vm = registry->vms.find(request.vm);
  if (vm != registry->vms.end()) *incoming.mutable_labels() = vm->second.labels();
  incoming.set_qmp_socket(request.other_host->qmp_socket());
  AddModes(request.request, incoming);
  Facts own = facts;
  own.destination.reset();
  own.shadow_policy.reset();
  own.now = clock_->Now();
  incoming.set_source_facts(SerializeFacts(own));
  return incoming;
}

absl::StatusOr<v1::JudgeIncomingResponse> Gatherer::AskOtherHost(const GatherRequest& request,
                                                                 const Facts& facts,
                                                                 absl::Time deadline) {
  if (peers_.port == nullptr || peers_.own_address.empty()) {
    return absl::FailedPreconditionError(
        "this vufd is not set up to talk to others (peer.address in its configuration)");
  }
  if (!facts.source.monitor.known()) {
    return absl::FailedPreconditionError("not asked, for the source itself could not be looked at");
  }
  v1::JudgeIncomingRequest ask;
  *ask.mutable_incoming() = IncomingOf(request, facts);
  // It looks at a monitor itself.
  const absl::Time limit = std::min(deadline, clock_->Now() + 2 * monitor_timeout_);
  return peers_.port->Judge(request.other_host->agent(), ask, limit);
}

std::string Gatherer::AddOtherHost(const GatherRequest& request, Facts& facts,
                                   absl::Time deadline) {
  OtherHost& other = facts.other_host.emplace();
  other.agent = request.other_host->agent();
  // Whatever it says was so at this time or later.
  const absl::Time sent = clock_->Now();
  const absl::StatusOr<v1::JudgeIncomingResponse> answer = AskOtherHost(request, facts, deadline);
  absl::StatusOr<Facts> theirs = answer.ok() ? FactsFromPeer(answer->destination_facts(), sent)
                                             : absl::StatusOr<Facts>(answer.status());
  facts.now = clock_->Now();
  if (theirs.ok() && !theirs->destination.has_value()) {
    theirs = absl::InternalError("its answer says nothing of the destination");
  }
  if (!theirs.ok()) {
    const std::string why = absl::StrCat("vufd at ", other.agent, ": ", theirs.status().message());
    other.boot_id = Unknown<std::string>(why, Source::kPeer);
    facts.destination.emplace().monitor = Unknown<std::string>(why, Source::kPeer);
    return "";
  }
  facts.destination = *std::move(theirs->destination);
  other.boot_id = theirs->boot_id;
  other.boot_id.source = Source::kPeer;
  AddRefusals(answer->verdict(), facts);
  return answer->verdict().fingerprint();
}

Gathered Gatherer::GatherIncoming(const v1::IncomingMigration& incoming, const Facts& theirs,
                                  absl::Time deadline) {
  Gathered gathered;
  Facts& facts = gathered.facts;
  Side side = ObserveSide(incoming.qmp_socket(), deadline);
  facts.source = theirs.source;
  facts.destination = std::move(side.facts);
  gathered.destination = std::move(side.hypervisor);
  facts.request = theirs.request;
  facts.request.has_destination = true;
  facts.boot_id = discovery_->BootId();
  facts.other_host = OtherHost{::vuf::Side::kSource, incoming.source_agent(), theirs.boot_id, {}};
  const std::shared_ptr<const Registry::Snapshot> registry = registry_->snapshot();
  facts.now = clock_->Now();
  AddIncomingPolicies(*registry, incoming, facts.now, facts);
  // Who accepted a blocker at the source did it for this VM, wherever it goes.
  if (theirs.policy.known()) {
    std::vector<Accepted>& accepted = facts.policy.value->accepted;
    accepted.insert(accepted.end(), theirs.policy.value->accepted.begin(),
                    theirs.policy.value->accepted.end());
  }
  return gathered;
}

}  // namespace vuf
