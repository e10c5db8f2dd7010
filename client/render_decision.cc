#include <string>

#include "absl/strings/str_cat.h"
#include "client/render.h"
#include "client/vuf_client.h"

namespace vuf::cli {
namespace {

std::string TriggerText(v1::DecisionTrigger trigger) {
  switch (trigger) {
    case v1::DECISION_TRIGGER_EVALUATE_MIGRATION:
      return "evaluate";
    case v1::DECISION_TRIGGER_CREATE_MIGRATION:
      return "migrate";
    case v1::DECISION_TRIGGER_SWITCHOVER:
      return "switch-over";
    case v1::DECISION_TRIGGER_DESTINATION:
      return "destination";
    case v1::DECISION_TRIGGER_RESERVE:
      return "reserve";
    default:
      return "unknown";
  }
}

std::string OutcomeText(const v1::DecisionRecord& decision) {
  if (decision.trigger() == v1::DECISION_TRIGGER_SWITCHOVER) {
    return decision.changes().empty() ? "went on" : "stopped";
  }
  return Allows(decision.verdict()) ? absl::StrCat("allowed, ", ModeText(decision.verdict().mode()))
                                    : "refused";
}

std::string ChangesText(const v1::DecisionRecord& decision, const Look& look) {
  std::string text = decision.changes().empty()
                         ? "At switch-over everything was as it had been judged.\n"
                         : "At switch-over this was not as it had been judged:\n";
  for (const std::string& change : decision.changes()) {
    absl::StrAppend(&text, Wrap(change, look.columns, 4, "  - "));
  }
  return text;
}

std::string DifferenceText(const v1::DecisionDifference& difference, const Look& look) {
  std::string what = difference.field();
  if (!difference.code().empty()) {
    what = absl::StrCat(difference.code(), " (", difference.subject(), ") ", what);
  }
  return absl::StrCat(Wrap(what, look.columns, 2),
                      Wrap(OrDash(difference.recorded()), look.columns, 14, "    recorded  "),
                      Wrap(OrDash(difference.replayed()), look.columns, 14, "    replayed  "));
}

}  // namespace

std::string DecisionsText(const v1::ListDecisionsResponse& decisions) {
  if (decisions.decisions().empty()) return "Nothing has been decided.\n";
  TextTable table({"DECISION", "TIME", "VM", "ASKED BY", "OUTCOME", "MIGRATION"});
  for (const v1::DecisionRecord& decision : decisions.decisions()) {
    table.AddRow({ShortName(decision.name()), OrDash(TimeText(decision.create_time())),
                  OrDash(ShortName(decision.vm())), TriggerText(decision.trigger()),
                  OutcomeText(decision), OrDash(ShortName(decision.migration()))});
  }
  std::string text = table.ToString();
  if (!decisions.next_page_token().empty()) {
    absl::StrAppend(&text, "There are older ones: --limit=N shows more.\n");
  }
  return text;
}

std::string DecisionText(const v1::DecisionRecord& decision, const Look& look) {
  FieldList fields;
  fields.Add("name", decision.name());
  fields.Add("vm", decision.vm());
  fields.Add("asked by", TriggerText(decision.trigger()));
  fields.Add("migration", decision.migration());
  fields.Add("caller", decision.actor());
  fields.Add("time", TimeText(decision.create_time()));
  fields.Add("facts", SizeText(decision.facts().size()));
  fields.Add("evidence", decision.evidence_digest());
  fields.Add("vufd", decision.vufd_version());
  fields.Add("rules", decision.rules_digest());
  return absl::StrCat(fields.ToString(), "\n",
                      decision.trigger() == v1::DECISION_TRIGGER_SWITCHOVER
                          ? ChangesText(decision, look)
                          : VerdictText(decision.vm(), decision.verdict(), look));
}

std::string ReplayText(const v1::DecisionRecord& decision, const v1::DecisionReplay& replay,
                       const Look& look) {
  std::string text = absl::StrCat(replay.agrees() ? Paint("AGREES", Colour::kGreen, look.colour)
                                                  : Paint("DIFFERS", Colour::kRed, look.colour),
                                  "  ", Printable(replay.name()), " (",
                                  TriggerText(decision.trigger()), ": ", OutcomeText(decision), ")",
                                  replay.agrees() ? " follows from the recorded facts" : "", "\n");
  for (const std::string& damage : replay.damage()) {
    absl::StrAppend(&text, Wrap(absl::StrCat("NOT AS RECORDED: ", damage), look.columns, 2));
  }
  if (!replay.same_rules()) {
    absl::StrAppend(&text,
                    Wrap(absl::StrCat("The rules are not those that decided (then ",
                                      decision.rules_digest(), " of vufd ", decision.vufd_version(),
                                      ", now ", replay.present_rules_digest(),
                                      "): a difference may be explained by that."),
                         look.columns, 2));
  }
  for (const v1::DecisionDifference& difference : replay.differences()) {
    absl::StrAppend(&text, DifferenceText(difference, look));
  }
  return text;
}

}  // namespace vuf::cli
