#include "server/service/policy_file.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/config/text_proto.h"
#include "server/decisions/digest.h"
#include "server/service/policy_request.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr char kActor[] = "policy_file";
constexpr absl::Duration kWriteTimeout = absl::Seconds(10);

absl::Status CheckOne(const v1::MigrationPolicy& policy) {
  const absl::Status named = CheckName("migration_policy.name", "migrationPolicies", policy.name());
  return named.ok() ? CheckPolicy(policy) : named;
}

absl::StatusOr<std::vector<v1::MigrationPolicy>> ParseFile(
    const std::string& path, const std::vector<std::string>& contents) {
  if (contents.empty()) return std::vector<v1::MigrationPolicy>();
  absl::StatusOr<std::vector<v1::MigrationPolicy>> policies = ParsePolicies(contents.front());
  if (policies.ok()) return policies;
  return absl::Status(policies.status().code(),
                      absl::StrCat("policy_file \"", path, "\":\n", policies.status().message()));
}

std::vector<LiveFiles::File> Files(const std::string& path) {
  if (path.empty()) return {};
  return {{"policy_file", path}};
}

bool AnyFromFile(const Registry& registry) {
  const std::shared_ptr<const Registry::Snapshot> now = registry.snapshot();
  return std::any_of(now->policies.begin(), now->policies.end(),
                     [](const auto& policy) { return policy.second.from_file(); });
}

}  // namespace

absl::StatusOr<std::vector<v1::MigrationPolicy>> ParsePolicies(absl::string_view text) {
  v1::MigrationPolicies message;
  if (absl::Status parsed = ParseTextProto(text, &message); !parsed.ok()) return parsed;
  std::vector<std::string> errors;
  std::set<std::string> names;
  for (int i = 0; i < message.migration_policies_size(); ++i) {
    const v1::MigrationPolicy& policy = message.migration_policies(i);
    const std::string at = absl::StrCat("migration_policies[", i, "]");
    if (const absl::Status checked = CheckOne(policy); !checked.ok()) {
      errors.push_back(absl::StrCat(at, absl::StripPrefix(checked.message(), "migration_policy")));
    } else if (!names.insert(policy.name()).second) {
      errors.push_back(absl::StrCat(at, ".name: ", Quoted(policy.name()), " is there twice"));
    }
  }
  if (absl::Status status = ErrorsAsStatus(std::move(errors)); !status.ok()) return status;
  return std::vector<v1::MigrationPolicy>(message.migration_policies().begin(),
                                          message.migration_policies().end());
}

absl::Status CheckPolicyFile(const std::string& path) {
  LiveFiles files(
      Files(path),
      [&path](const std::vector<std::string>& contents) {
        return ParseFile(path, contents).status();
      },
      nullptr);
  return files.Load();
}

PolicyFile::PolicyFile(const std::string& path, Registry* registry, const Clock* clock,
                       Events events)
    : path_(path),
      registry_(registry),
      clock_(clock),
      events_(std::move(events)),
      files_(
          Files(path), [this](const std::vector<std::string>& contents) { return Take(contents); },
          events_.refused) {}

absl::StatusOr<std::unique_ptr<PolicyFile>> PolicyFile::Open(const std::string& path,
                                                             Registry* registry, const Clock* clock,
                                                             Events events) {
  std::unique_ptr<PolicyFile> file(new PolicyFile(path, registry, clock, std::move(events)));
  const absl::Status loaded = file->files_.Load();
  if (loaded.ok()) return file;
  if (!AnyFromFile(*registry)) return loaded;
  file->events_.refused(loaded);
  return file;
}

void PolicyFile::Poll() {
  if (try_again_) {
    // It was reported when it began.
    files_.Load().IgnoreError();
  } else {
    files_.Poll();
  }
}

absl::Status PolicyFile::Take(const std::vector<std::string>& contents) {
  try_again_ = false;
  absl::StatusOr<std::vector<v1::MigrationPolicy>> policies = ParseFile(path_, contents);
  if (!policies.ok()) return policies.status();
  for (v1::MigrationPolicy& policy : *policies) policy.set_actor(kActor);
  const absl::Status replaced =
      registry_->ReplaceFilePolicies(*std::move(policies), clock_->Now() + kWriteTimeout);
  try_again_ = !replaced.ok();
  if (replaced.ok() && !contents.empty()) events_.taken(Sha256(contents.front()));
  return replaced;
}

}  // namespace vuf
