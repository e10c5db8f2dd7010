#include "server/discovery/share_observer.h"

#include <sys/sysmacros.h>

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "server/discovery/open_files.h"
#include "server/discovery/to_evidence.h"

namespace vuf {
namespace {

// More than that nobody compares.
constexpr size_t kMaxSubmounts = 4096;

std::string Option(const BackEndFacts& facts, const std::string& name) {
  const auto it = facts.options.value->find(name);
  return it == facts.options.value->end() ? std::string() : it->second;
}

bool IsConfined(const BackEndFacts& facts) {
  const std::string sandbox = Option(facts, "sandbox");
  return sandbox == "namespace" || sandbox == "chroot";
}

// The share's path as the process resolves it.
absl::StatusOr<std::string> SharePath(const BackEndFacts& facts) {
  if (!facts.kind.known()) {
    return absl::FailedPreconditionError("only of a virtiofsd it is known what it shares");
  }
  if (!facts.options.known()) return absl::FailedPreconditionError("its options are unknown");
  if (IsConfined(facts)) return "/";
  const std::string sandbox = Option(facts, "sandbox");
  if (sandbox != "none" || Option(facts, "shared-dir").empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("sandbox \"", sandbox, "\" does not tell where its shared directory is"));
  }
  return Option(facts, "shared-dir");
}

absl::StatusOr<Mount> FindMount(const absl::StatusOr<std::vector<Mount>>& mounts, uint64_t id) {
  if (!mounts.ok()) return mounts.status();
  for (const Mount& mount : *mounts) {
    if (mount.id == id) return mount;
  }
  return absl::NotFoundError(absl::StrCat("mount ", id, " is not in mountinfo"));
}

// Where the mount is below `path`; empty when it is not.
absl::string_view Below(const Mount& mount, absl::string_view path) {
  absl::string_view below = mount.mount_point;
  if (path == "/") path = "";
  if (!absl::ConsumePrefix(&below, path) || !absl::ConsumePrefix(&below, "/")) return "";
  return below;
}

// The same text for the same directory of the same file system, whoever sees it.
std::string Describe(const Mount& mount, absl::string_view below) {
  return absl::StrFormat("%s: %s, device %u:%u%s%s", below, mount.file_system, major(mount.device),
                         minor(mount.device), mount.root == "/" ? "" : " " + mount.root,
                         mount.read_only ? ", read-only" : "");
}

}  // namespace

absl::StatusOr<ShareObserver::Place> ShareObserver::Find(int pid, const BackEndFacts& facts) const {
  absl::StatusOr<std::string> path = SharePath(facts);
  if (!path.ok()) return path.status();
  const absl::StatusOr<FileSighting> root = procfs_->Look(pid, *path);
  if (!root.ok()) return root.status();
  const absl::StatusOr<FileSighting> own_root = LookAt("/");
  const bool confined = IsConfined(facts);
  if (confined && own_root.ok() && own_root->file == root->file &&
      Option(facts, "shared-dir") != "/") {
    return absl::FailedPreconditionError("it is not in its sandbox, so its root is not the share");
  }
  if (!root->mount_id) return absl::UnimplementedError("this kernel does not tell mount ids");
  const absl::StatusOr<std::vector<Mount>> mounts = procfs_->Mounts(pid);
  absl::StatusOr<Mount> mount = FindMount(mounts, *root->mount_id);
  // After a plain chroot the process itself does not see the mount it is on; vufd may.
  if (!mount.ok()) mount = FindMount(procfs_->OwnMounts(), *root->mount_id);
  if (!mount.ok()) return mount.status();
  absl::StatusOr<std::string> real_path = procfs_->RealPath(pid, *path);
  if (!real_path.ok()) return real_path.status();
  Place place;
  place.path = *std::move(path);
  place.real_path = *std::move(real_path);
  place.root = root->file;
  place.mount = *std::move(mount);
  AddSubmounts(mounts, confined, place);
  return place;
}

void ShareObserver::AddSubmounts(const absl::StatusOr<std::vector<Mount>>& mounts, bool confined,
                                 Place& place) {
  place.mount_ids.insert(place.mount.id);
  if (!mounts.ok()) {
    place.submounts = mounts.status();
    return;
  }
  // Its mountinfo is relative to its root, and so is the path of a share that it is confined to.
  const std::string& top = confined ? place.path : place.real_path;
  std::set<std::string> found;
  for (const Mount& mount : *mounts) {
    const absl::string_view below = Below(mount, top);
    if (below.empty()) continue;
    found.insert(Describe(mount, below));
    place.mount_ids.insert(mount.id);
  }
  place.submounts = std::move(found);
  if (place.submounts->size() <= kMaxSubmounts) return;
  place.submounts = absl::ResourceExhaustedError(
      absl::StrCat("more than ", kMaxSubmounts, " mounts below the shared directory"));
}

void ShareObserver::ObserveOpenFiles(int pid, const Place& place, absl::Time deadline,
                                     BackEndFacts& facts) const {
  if (Option(facts, "migration-mode") == "file-handles") {
    facts.open_files =
        Unknown<OpenFileFacts>("not looked at: the back-end hands over its files by handle");
    return;
  }
  const absl::Time now = clock_->Now();
  facts.open_files =
      ToEvidence(LookAtOpenFiles(*procfs_, pid, {place.real_path, place.mount_ids}, deadline),
                 Source::kProcfs, now, procfs_->PathOf(pid, "fd"));
}

void ShareObserver::Observe(int pid, Look look, absl::Time deadline, BackEndFacts& facts) const {
  const absl::Time now = clock_->Now();
  const std::string who = absl::StrCat("process ", pid);
  const absl::StatusOr<Place> place = Find(pid, facts);
  if (!place.ok()) {
    facts.share = ToEvidence<ShareId>(place.status(), Source::kFileSystem, now, who);
    const std::string& why = facts.share.detail;
    facts.file_handles = Unknown<bool>(why, Source::kFileSystem);
    facts.submounts = Unknown<std::set<std::string>>(why, Source::kProcfs);
    facts.open_files = Unknown<OpenFileFacts>(why, Source::kProcfs);
    return;
  }
  facts.share = Known(
      ShareId{place->root, place->mount.file_system, place->mount.source, place->mount.read_only},
      Source::kFileSystem, now, who);
  facts.file_handles =
      ToEvidence(procfs_->HasFileHandles(pid, place->path), Source::kFileSystem, now, who);
  facts.submounts =
      ToEvidence(place->submounts, Source::kProcfs, now, procfs_->PathOf(pid, "mountinfo"));
  if (look == Look::kEverything) {
    ObserveOpenFiles(pid, *place, deadline, facts);
  } else {
    facts.open_files = Unknown<OpenFileFacts>(kNotLookedAt, Source::kProcfs);
  }
}

}  // namespace vuf
