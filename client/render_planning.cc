// Batches and evacuation plans as text.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render.h"
#include "client/vuf_client.h"

namespace vuf::cli {
namespace {

std::string Steps(const char* title,
                  const google::protobuf::RepeatedPtrField<v1::EvacuationStep>& steps) {
  if (steps.empty()) return "";
  TextTable table({"VM", "MODE", "MEMORY", "BLOCKERS", "WARNINGS"});
  for (const v1::EvacuationStep& step : steps) {
    table.AddRow({ShortName(step.vm()), ModeText(step.mode()), SizeText(step.memory_bytes()),
                  OrDash(absl::StrJoin(step.blockers(), ", ")),
                  OrDash(absl::StrJoin(step.warnings(), ", "))});
  }
  return absl::StrCat(title, "\n\n", table.ToString(), "\n");
}

}  // namespace

std::string PlanText(const v1::PlanEvacuationResponse& plan) {
  std::string text = absl::StrCat(
      Steps("Can leave now, in this order:", plan.ready()),
      Steps("Nothing known against them, but no destination is named:", plan.need_destination()),
      Steps("Cannot leave:", plan.blocked()));
  if (!plan.fixes().empty()) absl::StrAppend(&text, "To mend, in this order:\n\n");
  TextTable fixes({"CODE", "CONCERNS", "FREES", "REMEDY"});
  for (const v1::EvacuationFix& fix : plan.fixes()) {
    fixes.AddRow({Printable(fix.code()), absl::StrCat(fix.vms_size(), " VM(s)"),
                  OrDash(absl::StrJoin(
                      fix.frees(), ", ",
                      [](std::string* out, const std::string& vm) { out->append(ShortName(vm)); })),
                  Printable(fix.remedy())});
  }
  if (!plan.fixes().empty()) absl::StrAppend(&text, fixes.ToString());
  return text.empty() ? "No VM is registered.\n" : text;
}

std::string BatchLine(const v1::BatchEvaluateResponse& one, const std::string& destination) {
  const v1::Verdict& verdict = one.verdict();
  std::string codes = absl::StrJoin(
      verdict.blockers(), " ",
      [](std::string* out, const v1::Finding& finding) { out->append(Printable(finding.code())); });
  return absl::StrCat(
      ShortName(one.vm()), destination.empty() ? "" : " -> ", Printable(destination), ": ",
      Allows(verdict) ? ModeText(verdict.mode()) : absl::StrCat("REFUSED ", codes), "\n");
}

}  // namespace vuf::cli
