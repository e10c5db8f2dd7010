// The audit log: files on this host, read without vufd.
#include <deque>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/text.h"
#include "google/protobuf/struct.pb.h"
#include "server/audit/verify.h"

namespace vuf::cli {
namespace {

constexpr char kDirectory[] = "/var/lib/vufd/audit";
const FlagSpec kDirectoryFlag = {
    "directory", "PATH", "\"audit\" in vufd's state directory (default /var/lib/vufd/audit)",
    "@files"};

std::string DirectoryOf(const ParsedArgs& args) {
  return args.Has("directory") ? args.Get("directory") : kDirectory;
}

google::protobuf::Struct AsStruct(const AuditRecord& record) {
  google::protobuf::Struct out;
  auto& fields = *out.mutable_fields();
  fields["time"].set_string_value(
      absl::FormatTime(absl::RFC3339_full, record.time, absl::UTCTimeZone()));
  fields["actor"].set_string_value(record.actor);
  fields["method"].set_string_value(record.method);
  fields["resource"].set_string_value(record.resource);
  fields["request_id"].set_string_value(record.request_id);
  fields["outcome"].set_string_value(record.outcome);
  fields["message"].set_string_value(record.message);
  return out;
}

std::string AsText(const AuditRecord& record) {
  return absl::StrCat(
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", record.time, absl::UTCTimeZone()), "  ",
      Printable(record.outcome), "  ", Printable(record.actor), "  ", Printable(record.method),
      "  ", Printable(record.resource),
      record.request_id.empty() ? "" : absl::StrCat("  request ", Printable(record.request_id)),
      "\n");
}

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<int> limit = CountFlag(context.args(), "limit", 50);
  if (!limit.ok()) return limit.status();
  std::deque<AuditRecord> newest;
  const absl::StatusOr<AuditReport> report =
      VerifyAudit(DirectoryOf(context.args()), "", [&](const AuditLine& line) {
        if (line.kind != AuditLine::Kind::kCall) return;
        newest.push_back(line.record);
        if (newest.size() > static_cast<size_t>(*limit)) newest.pop_front();
      });
  if (!report.ok()) return report.status();
  google::protobuf::Struct json;
  auto* const records = (*json.mutable_fields())["records"].mutable_list_value();
  std::string text;
  for (const AuditRecord& record : newest) {
    *records->add_values()->mutable_struct_value() = AsStruct(record);
    absl::StrAppend(&text, AsText(record));
  }
  if (!report->problems.empty()) {
    context.err() << "vufctl: this log was tampered with or is damaged: vufctl audit verify\n";
  }
  return context.Print(json, text);
}

absl::StatusOr<int> Verify(Context& context) {
  const std::string expected = context.args().Get("head");
  const absl::StatusOr<AuditReport> report = VerifyAudit(DirectoryOf(context.args()), expected);
  if (!report.ok()) return report.status();
  std::vector<std::string> problems = report->problems;
  if (!expected.empty() && !report->has_expected) {
    problems.push_back(absl::StrCat("no line has the hash ", expected,
                                    ": what was written up to there is not here any more"));
  }
  google::protobuf::Struct json;
  auto& fields = *json.mutable_fields();
  fields["files"].set_number_value(static_cast<double>(report->files));
  fields["records"].set_number_value(static_cast<double>(report->records));
  fields["head"].set_string_value(report->head);
  auto* const list = fields["problems"].mutable_list_value();
  std::string text = absl::StrCat(report->records, " records in ", report->files, " files; head ",
                                  report->head, "\n");
  for (const std::string& problem : problems) {
    list->add_values()->set_string_value(problem);
    absl::StrAppend(&text, "PROBLEM  ", Printable(problem), "\n");
  }
  if (problems.empty()) absl::StrAppend(&text, "nothing is missing and nothing was changed\n");
  const absl::StatusOr<int> printed = context.Print(json, text);
  if (!printed.ok()) return printed;
  return problems.empty() ? kExitOk : kExitRefused;
}

}  // namespace

std::vector<Command> AuditCommands() {
  return {
      {"audit list",
       "",
       "list calls that changed something or tried to, newest last",
       "Reads files on this host; the rights to them are the state directory's.",
       {kDirectoryFlag, {"limit", "N", "at most this many (default 50)"}},
       List},
      {"audit verify",
       "",
       "check that nothing in the audit log was changed or taken away",
       "Exit code 0: it is whole; 3: it is not, and where. Lines taken away at the very end are "
       "found only by a hash noted before: --head.",
       {kDirectoryFlag,
        {"head", "HASH", "the head that an earlier \"audit verify\" printed; it must be there"}},
       Verify},
  };
}

}  // namespace vuf::cli
