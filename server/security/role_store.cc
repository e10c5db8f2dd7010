#include "server/security/role_store.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

std::vector<LiveFiles::File> FilesOf(const std::string& path) {
  if (path.empty()) return {};
  return {{"roles_file", path}};
}

}  // namespace

RoleStore::RoleStore(const std::string& path, LiveFiles::OnFailure refused)
    : path_(path),
      files_(
          FilesOf(path),
          [this](const std::vector<std::string>& contents) { return Take(contents); },
          std::move(refused)),
      current_(std::make_shared<const RoleBindings>()) {}

absl::StatusOr<std::unique_ptr<RoleStore>> RoleStore::Open(const std::string& path,
                                                           LiveFiles::OnFailure refused) {
  std::unique_ptr<RoleStore> store(new RoleStore(path, std::move(refused)));
  if (absl::Status loaded = store->files_.Load(); !loaded.ok()) return loaded;
  return store;
}

std::shared_ptr<const RoleBindings> RoleStore::current() const {
  MutexLock lock(&mu_);
  return current_;
}

absl::Status RoleStore::Take(const std::vector<std::string>& contents) {
  absl::StatusOr<RoleBindings> bindings =
      contents.empty() ? RoleBindings::Default(geteuid()) : RoleBindings::Parse(contents.front());
  if (!bindings.ok()) {
    return absl::Status(bindings.status().code(),
                        absl::StrCat("roles_file \"", path_, "\":\n", bindings.status().message()));
  }
  auto taken = std::make_shared<const RoleBindings>(*std::move(bindings));
  MutexLock lock(&mu_);
  current_ = std::move(taken);
  return absl::OkStatus();
}

}  // namespace vuf
