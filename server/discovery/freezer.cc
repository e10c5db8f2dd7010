#include "server/discovery/freezer.h"

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/discovery/procfs_io.h"

namespace vuf {
namespace {

bool HasFreezer(absl::string_view list) {
  return absl::c_linear_search(absl::StrSplit(list, ','), "freezer");
}

// `path` is `above` or below it.
bool IsWithin(absl::string_view path, absl::string_view above) {
  return above == "/" || path == above || absl::StartsWith(path, absl::StrCat(above, "/"));
}

// vufd runs, so no control group that it is in itself is frozen.
bool HoldsVufd(const Cgroup& cgroup, const std::vector<Cgroup>& own) {
  return absl::c_any_of(own, [&](const Cgroup& mine) {
    return mine.controllers == cgroup.controllers && IsWithin(mine.path, cgroup.path);
  });
}

// Where the hierarchy of `cgroup` is mounted, and the path below that.
struct Place {
  std::string mount_point;
  std::string below;
};

absl::StatusOr<Place> Find(const Cgroup& cgroup, const std::vector<Mount>& mounts) {
  // Outside of vufd's cgroup namespace.
  const bool hidden = absl::StartsWith(cgroup.path, "/..");
  for (const Mount& mount : mounts) {
    const bool fits = cgroup.controllers.empty()
                          ? mount.file_system == "cgroup2"
                          : mount.file_system == "cgroup" && HasFreezer(mount.options);
    if (hidden || !fits || !IsWithin(cgroup.path, mount.root)) continue;
    absl::string_view below = cgroup.path;
    if (mount.root != "/") below.remove_prefix(mount.root.size());
    return Place{mount.mount_point, std::string(absl::StripSuffix(below, "/"))};
  }
  return absl::NotFoundError(
      absl::StrCat("control group ", cgroup.path, " is not mounted where vufd can see it"));
}

// Absent files say no: the control group at the root has no freezer, nor has an old kernel.
absl::StatusOr<bool> Says(const std::string& file, const std::vector<absl::string_view>& words) {
  const absl::StatusOr<std::string> text = ReadSmallFile(file);
  if (absl::IsNotFound(text.status())) return false;
  if (!text.ok()) return text.status();
  return absl::c_linear_search(words, absl::StripSuffix(*text, "\n"));
}

// From the control group up to where it is mounted. Not only "frozen" of cgroup.events, which waits
// for the last process: one that is frozen may have a neighbour that is not yet.
absl::StatusOr<bool> IsFrozenAt(Place place, bool version2) {
  const std::string directory = place.mount_point + place.below;
  const absl::StatusOr<std::string> there =
      ReadSmallFile(directory + (version2 ? "/cgroup.controllers" : "/notify_on_release"));
  // Else absent files would say no of a control group that is not there.
  if (!there.ok()) return there.status();
  while (!place.below.empty()) {
    const std::string at = place.mount_point + place.below;
    const absl::StatusOr<bool> frozen = version2
                                            ? Says(at + "/cgroup.freeze", {"1"})
                                            : Says(at + "/freezer.state", {"FROZEN", "FREEZING"});
    if (!frozen.ok() || *frozen) return frozen;
    place.below.resize(place.below.rfind('/'));
  }
  return false;
}

}  // namespace

absl::StatusOr<bool> IsFrozen(const Procfs& procfs, int pid) {
  const absl::StatusOr<std::vector<Cgroup>> cgroups = procfs.Cgroups(pid);
  if (!cgroups.ok()) return cgroups.status();
  const absl::StatusOr<std::vector<Cgroup>> own = procfs.OwnCgroups();
  if (!own.ok()) return own.status();
  for (const Cgroup& cgroup : *cgroups) {
    const bool version2 = cgroup.controllers.empty();
    if ((!version2 && !HasFreezer(cgroup.controllers)) || HoldsVufd(cgroup, *own)) continue;
    const absl::StatusOr<std::vector<Mount>> mounts = procfs.OwnMounts();
    if (!mounts.ok()) return mounts.status();
    const absl::StatusOr<Place> place = Find(cgroup, *mounts);
    if (!place.ok()) return place.status();
    const absl::StatusOr<bool> frozen = IsFrozenAt(*place, version2);
    if (!frozen.ok() || *frozen) return frozen;
  }
  return false;
}

}  // namespace vuf
