// Policies, holds and acknowledgements.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/commands.h"
#include "client/render.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"

namespace vuf::cli {
namespace {

constexpr char kPolicies[] = "migrationPolicies";
constexpr char kAcknowledgements[] = "acknowledgements";
// A hold prevails by accumulating; its priority only orders it in lists.
constexpr int kHoldPriority = 1000;

std::string IdOf(const std::string& name) { return name.substr(name.find('/') + 1); }
std::string HoldId(const std::string& vm) { return absl::StrCat("hold-", IdOf(vm)); }

// A policy's own text: what it is made of can be edited and applied again.
absl::StatusOr<int> PrintPolicy(Context& context,
                                const absl::StatusOr<v1::MigrationPolicy>& policy) {
  if (!policy.ok()) return policy.status();
  std::string text;
  google::protobuf::TextFormat::PrintToString(*policy, &text);
  return context.Print(*policy, text);
}

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<v1::ListMigrationPoliciesResponse> policies =
      context.client().ListMigrationPolicies();
  if (!policies.ok()) return policies.status();
  return PrintList(context, *policies, policies->migration_policies(), PoliciesText(*policies));
}

absl::StatusOr<int> Get(Context& context) {
  const absl::StatusOr<std::string> name = context.Name(kPolicies);
  if (!name.ok()) return name.status();
  uint64_t revision = 0;
  const std::string wanted = context.args().Get("revision");
  if (!wanted.empty() && (!absl::SimpleAtoi(wanted, &revision) || revision == 0)) {
    return UsageError(absl::StrCat("--revision=", wanted, ": want a number from 1"));
  }
  return PrintPolicy(context, context.client().GetMigrationPolicy(*name, revision));
}

absl::StatusOr<int> Revisions(Context& context) {
  const absl::StatusOr<std::string> name = context.Name(kPolicies);
  if (!name.ok()) return name.status();
  const absl::StatusOr<v1::ListMigrationPolicyRevisionsResponse> revisions =
      context.client().ListMigrationPolicyRevisions(*name);
  if (!revisions.ok()) return revisions.status();
  return context.Print(*revisions, PolicyRevisionsText(*revisions));
}

absl::StatusOr<int> Explain(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("vms");
  if (!name.ok()) return name.status();
  const absl::StatusOr<v1::ExplainPolicyResponse> explained = context.client().ExplainPolicy(*name);
  if (!explained.ok()) return explained.status();
  return context.Print(*explained, ExplainPolicyText(*explained));
}

// The position and the words of the first error of a text.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty())
      text = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  std::string text;
};

absl::StatusOr<v1::MigrationPolicy> ParsePolicy(const std::string& file, const std::string& text) {
  v1::MigrationPolicy policy;
  if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{")) {
    const auto parsed = google::protobuf::util::JsonStringToMessage(text, &policy);
    if (parsed.ok()) return policy;
    return UsageError(absl::StrCat(file, ": ", std::string(parsed.message())));
  }
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.ParseFromString(text, &policy)) return policy;
  return UsageError(absl::StrCat(file, ": ", error.text));
}

absl::StatusOr<v1::MigrationPolicy> ReadPolicy(const std::string& file) {
  if (file == "-") {
    return ParsePolicy(file, std::string(std::istreambuf_iterator<char>(std::cin), {}));
  }
  std::ifstream in(file);
  if (!in) return UsageError(absl::StrCat("cannot read ", file));
  return ParsePolicy(file, std::string(std::istreambuf_iterator<char>(in), {}));
}

absl::StatusOr<int> Apply(Context& context) {
  const absl::StatusOr<std::string> name = context.Name(kPolicies);
  if (!name.ok()) return name.status();
  absl::StatusOr<v1::MigrationPolicy> policy = ReadPolicy(context.args().positional[1]);
  if (!policy.ok()) return policy.status();
  policy->set_name(*name);
  policy->set_etag(context.args().Get("etag"));
  v1::UpdateMigrationPolicyRequest update;
  *update.mutable_migration_policy() = *policy;
  const absl::StatusOr<v1::MigrationPolicy> updated =
      context.client().UpdateMigrationPolicy(update);
  if (!absl::IsNotFound(updated.status())) return PrintPolicy(context, updated);
  v1::CreateMigrationPolicyRequest create;
  create.set_migration_policy_id(IdOf(*name));
  *create.mutable_migration_policy() = *policy;
  return PrintPolicy(context, context.client().CreateMigrationPolicy(create));
}

absl::StatusOr<int> DeletePolicy(Context& context, const std::string& name,
                                 const std::string& done) {
  v1::DeleteMigrationPolicyRequest request;
  request.set_name(name);
  request.set_etag(context.args().Get("etag"));
  return PrintDone(context, context.client().DeleteMigrationPolicy(request), done);
}

absl::StatusOr<int> Delete(Context& context) {
  const absl::StatusOr<std::string> name = context.Name(kPolicies);
  if (!name.ok()) return name.status();
  return DeletePolicy(context, *name, absl::StrCat("Deleted ", *name));
}

// --for as a point in time; absent stays absent.
absl::Status SetEnd(const ParsedArgs& args,
                    const std::function<google::protobuf::Timestamp*()>& field) {
  google::protobuf::Duration duration;
  if (!args.Has("for")) return absl::OkStatus();
  const absl::Status parsed = SetDuration(args, "for", [&duration] { return &duration; });
  if (!parsed.ok()) return parsed;
  field()->set_seconds(absl::ToUnixSeconds(absl::Now()) + duration.seconds());
  return absl::OkStatus();
}

absl::StatusOr<int> Hold(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("vms");
  if (!name.ok()) return name.status();
  v1::CreateMigrationPolicyRequest request;
  request.set_migration_policy_id(HoldId(*name));
  request.set_request_id(context.args().Get("request-id"));
  v1::MigrationPolicy& policy = *request.mutable_migration_policy();
  policy.set_description("made by vufctl hold");
  policy.set_priority(kHoldPriority);
  policy.mutable_selector()->add_vms(*name);
  policy.mutable_hold()->set_holder(context.args().Get("holder"));
  policy.mutable_hold()->set_reason(context.args().Get("reason"));
  const absl::Status end =
      SetEnd(context.args(), [&policy] { return policy.mutable_hold()->mutable_expire_time(); });
  if (!end.ok()) return end;
  return PrintPolicy(context, context.client().CreateMigrationPolicy(request));
}

absl::StatusOr<int> Release(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("vms");
  if (!name.ok()) return name.status();
  return DeletePolicy(context, absl::StrCat(kPolicies, "/", HoldId(*name)),
                      absl::StrCat("Released ", *name));
}

absl::StatusOr<int> Acknowledge(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("vms");
  if (!name.ok()) return name.status();
  const ParsedArgs& args = context.args();
  v1::CreateAcknowledgementRequest request;
  request.set_request_id(args.Get("request-id"));
  v1::Acknowledgement& one = *request.mutable_acknowledgement();
  one.set_vm(*name);
  one.set_code(args.positional[1]);
  one.set_device(args.Get("device"));
  one.set_author(args.Get("author"));
  one.set_reason(args.Get("reason"));
  const absl::Status end = SetEnd(args, [&one] { return one.mutable_expire_time(); });
  if (!end.ok()) return end;
  std::string id = args.Get("id");
  if (id.empty()) id = absl::StrCat("a-", NewRequestId());
  request.set_acknowledgement_id(id);
  const absl::StatusOr<v1::Acknowledgement> made = context.client().CreateAcknowledgement(request);
  if (!made.ok()) return made.status();
  v1::ListAcknowledgementsResponse list;
  *list.add_acknowledgements() = *made;
  return context.Print(*made, AcknowledgementsText(list));
}

absl::StatusOr<int> ListAcknowledgements(Context& context) {
  const absl::StatusOr<v1::ListAcknowledgementsResponse> all =
      context.client().ListAcknowledgements();
  if (!all.ok()) return all.status();
  return PrintList(context, *all, all->acknowledgements(), AcknowledgementsText(*all));
}

absl::StatusOr<int> DeleteAcknowledgement(Context& context) {
  const absl::StatusOr<std::string> name = context.Name(kAcknowledgements);
  if (!name.ok()) return name.status();
  v1::DeleteAcknowledgementRequest request;
  request.set_name(*name);
  request.set_etag(context.args().Get("etag"));
  return PrintDone(context, context.client().DeleteAcknowledgement(request),
                   absl::StrCat("Deleted ", *name));
}

}  // namespace

std::vector<Command> PolicyCommands() {
  const FlagSpec reason = {"reason", "TEXT", "why (required)"};
  const FlagSpec duration = {"for", "DURATION", "how long from now on, e.g. 2h"};
  return {
      {"policies list", "", "list migration policies", "", {}, List},
      {"policies get",
       "POLICY",
       "show a policy as text that can be edited and applied",
       "",
       {{"revision", "N", "an earlier one"}},
       Get},
      {"policies revisions", "POLICY", "list a policy's revisions", "", {}, Revisions},
      {"policies explain",
       "VM",
       "which policies match a VM, and what they decide",
       "",
       {},
       Explain},
      {"policies apply",
       "POLICY FILE",
       "create a policy or replace it by a new revision",
       "FILE (or - for the standard input) holds a vuf.v1.MigrationPolicy in protobuf text or "
       "JSON;\n"
       "proto/vuf/v1/policy.proto has every field, docs/policies.md examples.",
       {kEtagFlag},
       Apply},
      {"policies delete", "POLICY", "delete a policy", "", {kEtagFlag}, Delete},
      {"hold",
       "VM",
       "let nobody migrate a VM for a while",
       "The policy hold-VM; \"vufctl release VM\" deletes it.",
       {{"holder", "WHO", "who asks for it (required)"}, reason, duration, kRequestIdFlag},
       Hold},
      {"release", "VM", "end what \"hold\" began", "", {}, Release},
      {"acknowledge",
       "VM CODE",
       "accept one blocker of a VM for a limited time",
       "Only for codes that docs/reasons.md marks with \"may be acknowledged\". The finding stays "
       "in\n"
       "every verdict, as a warning with your name.",
       {{"author", "WHO", "who takes the responsibility (required)"},
        reason,
        {"for", "DURATION", "how long from now on, at most 720h (required)"},
        {"device", "DEVICE", "only for this device"},
        {"id", "ID", "its name (default: a random one)"},
        kRequestIdFlag},
       Acknowledge},
      {"acknowledgements list", "", "list acknowledgements", "", {}, ListAcknowledgements},
      {"acknowledgements delete",
       "ACKNOWLEDGEMENT",
       "withdraw an acknowledgement",
       "",
       {kEtagFlag},
       DeleteAcknowledgement},
  };
}

}  // namespace vuf::cli
