#include "server/discovery/executable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "server/discovery/run_program.h"

namespace vuf {
namespace {

constexpr size_t kMaxRemembered = 64;
constexpr size_t kMaxVersionLine = 256;

std::string BaseName(absl::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

int64_t Nanoseconds(const timespec& time) {
  return absl::ToUnixNanos(absl::TimeFromTimespec(time));
}

// vufd often is root: a program that others can change would run with vufd's rights.
absl::Status CheckTrusted(const struct stat& file, const std::string& path) {
  if (!S_ISREG(file.st_mode)) {
    return absl::PermissionDeniedError(absl::StrCat(path, " is no regular file"));
  }
  if (file.st_uid != 0 && file.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(
        path, " is not run: it belongs to user ", file.st_uid, ", not to root or vufd's own user"));
  }
  if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " is not run: its group or everybody may write to it"));
  }
  return absl::OkStatus();
}

}  // namespace

void ParseVersionOutput(absl::string_view output, ExecutableFacts& facts) {
  absl::string_view line = output.substr(0, std::min(output.find('\n'), kMaxVersionLine));
  line = absl::StripAsciiWhitespace(line);
  facts.version_line = std::string(line);
  if (!absl::ConsumePrefix(&line, "virtiofsd ")) return;
  // The C daemon says "virtiofsd version 7.2.22 (...)", the Rust one "virtiofsd 1.13.2", and old
  // Rust ones "virtiofsd backend 1.5.1".
  const bool is_c = absl::ConsumePrefix(&line, "version ");
  if (!is_c) absl::ConsumePrefix(&line, "backend ");
  facts.version = Version::Parse(line);
  if (facts.version) facts.kind = is_c ? BackEndKind::kVirtiofsdC : BackEndKind::kVirtiofsd;
}

absl::StatusOr<std::set<std::string>> ParseCapabilities(absl::string_view output) {
  const auto json = nlohmann::json::parse(output.begin(), output.end(), nullptr, false);
  if (!json.is_object() || json.value("type", nlohmann::json()) != "fs") {
    return absl::InvalidArgumentError("--print-capabilities printed no object of type fs");
  }
  std::set<std::string> features;
  const auto list = json.find("features");
  if (list == json.end()) return features;
  if (!list->is_array()) return absl::InvalidArgumentError("its features are no list");
  for (const auto& feature : *list) {
    if (!feature.is_string()) return absl::InvalidArgumentError("a feature is no string");
    features.insert(feature.get<std::string>());
  }
  return features;
}

namespace {

// Where the program finds its loader and libraries. A descriptor; -1: in vufd's own root.
int RootToRunIn(const struct stat& file, const std::string& root, const std::string& path) {
  struct stat own = {};
  struct stat its = {};
  struct stat there = {};
  if (stat("/", &own) != 0 || stat((root + "/").c_str(), &its) != 0 ||
      (own.st_dev == its.st_dev && own.st_ino == its.st_ino) ||
      stat((root + path).c_str(), &there) != 0 || there.st_dev != file.st_dev ||
      there.st_ino != file.st_ino) {
    return -1;
  }
  return open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

}  // namespace

bool ExecutableInspector::Allows(absl::string_view path) const {
  return allowed_names_.count(BaseName(path)) != 0;
}

absl::StatusOr<ExecutableFacts> ExecutableInspector::Inspect(const std::string& link,
                                                             const std::string& path,
                                                             const std::string& root,
                                                             absl::Time deadline) {
  if (!Allows(path)) {
    return absl::PermissionDeniedError(
        absl::StrCat("executable ", path, " is not one that a profile names"));
  }
  // One descriptor for all that follows: the process may be gone, its pid somebody else's.
  const int fd = open(link.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", link));
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat file = {};
  if (fstat(fd, &file) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("stat ", link));
  if (absl::Status trusted = CheckTrusted(file, path); !trusted.ok()) return trusted;
  const FileKey key = {file.st_dev, file.st_ino, file.st_size, Nanoseconds(file.st_mtim),
                       Nanoseconds(file.st_ctim)};
  if (std::optional<ExecutableFacts> known = Remembered(key)) return *std::move(known);

  const int root_fd = RootToRunIn(file, root, path);
  const auto close_root = absl::MakeCleanup([root_fd] {
    if (root_fd >= 0) close(root_fd);
  });
  const auto run = [&](const std::string& option) {
    return RunForOutput(fd, root_fd, {BaseName(path), option},
                        std::min(deadline, absl::Now() + run_limit_));
  };
  const absl::StatusOr<std::string> version = run("--version");
  if (!version.ok()) {
    return absl::Status(version.status().code(),
                        absl::StrCat(path, " --version: ", version.status().message()));
  }
  ExecutableFacts facts;
  ParseVersionOutput(*version, facts);
  const absl::StatusOr<std::string> capabilities = run("--print-capabilities");
  facts.features =
      capabilities.ok()
          ? ParseCapabilities(*capabilities)
          : absl::Status(
                capabilities.status().code(),
                absl::StrCat(path, " --print-capabilities: ", capabilities.status().message()));
  if (facts.features.ok()) Remember(key, facts);
  return facts;
}

std::optional<ExecutableFacts> ExecutableInspector::Remembered(const FileKey& key) {
  MutexLock lock(&mu_);
  const auto it = remembered_.find(key);
  if (it == remembered_.end()) return std::nullopt;
  return it->second;
}

void ExecutableInspector::Remember(const FileKey& key, const ExecutableFacts& facts) {
  MutexLock lock(&mu_);
  if (!remembered_.emplace(key, facts).second) return;
  order_.push_back(key);
  if (order_.size() <= kMaxRemembered) return;
  remembered_.erase(order_.front());
  order_.pop_front();
}

}  // namespace vuf
