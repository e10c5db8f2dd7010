// A scheduler in small: has a VM judged against every candidate, says why the others will not do,
// and moves it to the first that will, on exactly the facts that were judged.
//
//   scheduler SERVER VM CANDIDATE...
//
// SERVER: unix:/run/vufd/vufd.sock, of the agent where the VM runs. CANDIDATE: the QMP socket of a
// paused QEMU on that host (/run/vm/next.qmp), or AGENT=SOCKET on another one
// (10.0.0.7:7473=/run/...). Ends with 0 when the VM has moved, 1 when no candidate will do or the
// migration failed, 2 on an error.
#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/vuf_client.h"

namespace {

enum Exit { kMoved = 0, kDidNotMove = 1, kError = 2 };

vuf::v1::Destination Parse(absl::string_view candidate) {
  vuf::v1::Destination out;
  if (absl::StartsWith(candidate, "/")) {
    out.mutable_same_host()->set_qmp_socket(std::string(candidate));
    return out;
  }
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(candidate, absl::MaxSplits('=', 1));
  out.mutable_other_host()->set_agent(parts.first);
  out.mutable_other_host()->set_qmp_socket(parts.second);
  return out;
}

// The remedy beside every reason: a scheduler that hides them leaves its operator with "no host
// found".
void Explain(absl::string_view candidate, const vuf::v1::Verdict& verdict) {
  printf("%s will not do:\n", std::string(candidate).c_str());
  for (const vuf::v1::Finding& blocker : verdict.blockers()) {
    printf("  %s: %s %s\n", blocker.code().c_str(), blocker.message().c_str(),
           blocker.remedy().c_str());
  }
}

// Moves `vm`, and returns the migration as it ended.
absl::StatusOr<vuf::v1::Migration> Move(vuf::VufClient& client, const std::string& vm,
                                        const vuf::v1::Destination& destination,
                                        const vuf::v1::Verdict& verdict) {
  vuf::v1::CreateMigrationRequest request;
  // The same id makes a call that is repeated the same migration: a scheduler that may itself be
  // restarted writes it down first.
  request.set_request_id(vuf::NewRequestId());
  vuf::v1::Migration& migration = *request.mutable_migration();
  migration.set_vm(vm);
  *migration.mutable_destination() = destination;
  migration.add_allowed_modes(verdict.mode());
  // ABORTED when anything that the verdict rests on has changed since.
  migration.set_required_fingerprint(verdict.fingerprint());
  const absl::StatusOr<vuf::v1::Migration> begun = client.CreateMigration(std::move(request));
  if (!begun.ok()) return begun.status();
  vuf::WatchCanceller never;
  return client.WatchMigration(
      begun->name(),
      [](const vuf::v1::Migration& now) {
        printf("%s: %s\n", now.name().c_str(), vuf::v1::Migration::State_Name(now.state()).c_str());
      },
      &never);
}

// One candidate: kDidNotMove means that the next may be tried, for the VM was not touched.
absl::StatusOr<Exit> Try(vuf::VufClient& client, const std::string& vm,
                         const std::string& candidate) {
  vuf::v1::EvaluateMigrationRequest question;
  question.set_vm(vm);
  *question.mutable_destination() = Parse(candidate);
  question.add_allowed_modes(vuf::v1::MIGRATION_MODE_STATELESS);
  question.add_allowed_modes(vuf::v1::MIGRATION_MODE_STATEFUL);
  const absl::StatusOr<vuf::v1::Verdict> verdict = client.EvaluateMigration(question);
  if (absl::IsUnavailable(verdict.status())) return verdict.status();
  // No verdict on one candidate is a refusal like any other.
  if (!verdict.ok()) {
    printf("%s will not do: %s\n", candidate.c_str(), verdict.status().ToString().c_str());
    return kDidNotMove;
  }
  if (!vuf::Allows(*verdict)) {
    Explain(candidate, *verdict);
    return kDidNotMove;
  }
  const absl::StatusOr<vuf::v1::Migration> ended =
      Move(client, vm, question.destination(), *verdict);
  if (!ended.ok()) return ended.status();
  if (ended->state() == vuf::v1::Migration::STATE_SUCCEEDED) return kMoved;
  return absl::FailedPreconditionError(ended->message());
}

int Fail(const absl::Status& status) {
  fprintf(stderr, "scheduler: %s\n", status.ToString().c_str());
  return absl::IsFailedPrecondition(status) ? kDidNotMove : kError;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: scheduler SERVER VM CANDIDATE...\n");
    return kError;
  }
  vuf::ClientOptions options;
  options.server = argv[1];
  options.user_agent = "example-scheduler";
  const auto client = vuf::VufClient::Create(options);
  if (!client.ok()) {
    Fail(client.status());
    return kError;
  }
  const auto vm = vuf::ResourceName("vms", argv[2]);
  if (!vm.ok()) return Fail(vm.status());
  for (int i = 3; i < argc; ++i) {
    const absl::StatusOr<Exit> tried = Try(**client, *vm, argv[i]);
    // What became of the VM is in the migration's message; another candidate is for whoever has
    // read it.
    if (!tried.ok()) return Fail(tried.status());
    if (*tried == kMoved) return kMoved;
  }
  printf("no candidate will do\n");
  return kDidNotMove;
}
