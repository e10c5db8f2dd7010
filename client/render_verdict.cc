#include <string>

#include "absl/strings/str_cat.h"
#include "client/render.h"
#include "client/vuf_client.h"

namespace vuf::cli {
namespace {

std::string CountText(int count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string RetryText(v1::RetryClass retry) {
  switch (retry) {
    case v1::RETRY_CLASS_WAIT:
      return "passes by itself: ask again later";
    case v1::RETRY_CLASS_OPERATOR:
      return "when somebody has acted on the host";
    default:
      return "not before the set-up is changed";
  }
}

std::string EvidenceText(const v1::Evidence& evidence, int columns) {
  const std::string source =
      EnumText(v1::EvidenceSource_Name(evidence.source()), "EVIDENCE_SOURCE_");
  std::string text = evidence.fact();
  if (evidence.unknown()) {
    absl::StrAppend(&text, " is unknown");
  } else {
    absl::StrAppend(&text, " = ", evidence.value().empty() ? "\"\"" : evidence.value());
  }
  absl::StrAppend(&text, " (",
                  evidence.source() == v1::EVIDENCE_SOURCE_UNSPECIFIED ? "nobody looked" : source);
  if (evidence.has_observe_time()) {
    absl::StrAppend(&text, ", ", TimeText(evidence.observe_time()));
  }
  absl::StrAppend(&text, ")");
  if (!evidence.detail().empty()) absl::StrAppend(&text, ": ", evidence.detail());
  return Wrap(text, columns, 14, "  evidence    ");
}

std::string FindingText(const v1::Finding& finding, bool blocker, const Look& look) {
  std::string about = Printable(finding.subject());
  if (finding.side() != v1::SIDE_UNSPECIFIED) {
    absl::StrAppend(&about, about.empty() ? "" : ", ",
                    EnumText(v1::Side_Name(finding.side()), "SIDE_"));
  }
  std::string text = absl::StrCat(
      Paint(blocker ? "BLOCKER" : "WARNING", blocker ? Colour::kRed : Colour::kYellow, look.colour),
      " ", Paint(Printable(finding.code()), Colour::kBold, look.colour),
      about.empty() ? "" : absl::StrCat(" (", about, ")"), "\n");
  absl::StrAppend(&text, Wrap(finding.message(), look.columns, 2));
  for (const v1::Evidence& evidence : finding.evidence()) {
    absl::StrAppend(&text, EvidenceText(evidence, look.columns));
  }
  if (!finding.remedy().empty()) {
    absl::StrAppend(&text, Wrap(finding.remedy(), look.columns, 14, "  remedy      "));
  }
  if (blocker) {
    absl::StrAppend(&text,
                    Wrap(RetryText(finding.retry_class()), look.columns, 14, "  try again   "));
  }
  return text;
}

std::string DevicesText(const v1::Verdict& verdict) {
  TextTable table({"DEVICE", "TAG", "MODE", "SOCKET"});
  for (const v1::DeviceVerdict& device : verdict.devices()) {
    table.AddRow({OrDash(device.device()), OrDash(device.tag()), ModeText(device.mode()),
                  OrDash(device.socket_path())});
  }
  return verdict.devices().empty() ? "" : absl::StrCat("\n", table.ToString());
}

}  // namespace

std::string ModeText(v1::MigrationMode mode) {
  if (mode == v1::MIGRATION_MODE_UNSPECIFIED) return "unknown";
  return EnumText(v1::MigrationMode_Name(mode), "MIGRATION_MODE_");
}

std::string VerdictText(absl::string_view vm, const v1::Verdict& verdict, const Look& look) {
  const bool allowed = Allows(verdict);
  std::string text = absl::StrCat(
      allowed ? Paint("ALLOWED", Colour::kGreen, look.colour)
              : Paint("REFUSED", Colour::kRed, look.colour),
      "  ", Printable(vm),
      allowed ? absl::StrCat(" may migrate, ", ModeText(verdict.mode())) : " may not migrate", " (",
      CountText(verdict.blockers_size(), "blocker"), ", ",
      CountText(verdict.warnings_size(), "warning"), ")\n");
  absl::StrAppend(&text, DevicesText(verdict));
  for (const v1::Finding& finding : verdict.blockers()) {
    absl::StrAppend(&text, "\n", FindingText(finding, true, look));
  }
  for (const v1::Finding& finding : verdict.warnings()) {
    // "Readers must treat it as BLOCKER": only a finding that says so is a mere warning.
    absl::StrAppend(&text, "\n",
                    FindingText(finding, finding.severity() != v1::SEVERITY_WARNING, look));
  }
  if (!verdict.fingerprint().empty()) {
    absl::StrAppend(&text, "\nfingerprint ", Printable(verdict.fingerprint()), "\n");
  }
  if (!verdict.decision_record().empty()) {
    absl::StrAppend(&text, "decision    ", Printable(verdict.decision_record()), "\n");
  }
  return text;
}

}  // namespace vuf::cli
