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

// What is outside of vufd's cgroup namespace (a container's, say) begins with steps that lead out
// of it, "/../../system.slice": how many, and what follows.
struct Path {
  explicit Path(absl::string_view text) : below(text) {
    while (below == "/.." || absl::StartsWith(below, "/../")) {
      below.remove_prefix(3);
      ++steps_out;
    }
    if (below == "/") below = "";
  }
  int steps_out = 0;
  absl::string_view below;
};

// `path` is `above` or below it.
bool IsWithin(const Path& path, const Path& above) {
  return path.steps_out == above.steps_out &&
         (path.below == above.below ||
          absl::StartsWith(path.below, absl::StrCat(above.below, "/")));
}

// vufd runs, so no control group that it is in itself is frozen.
bool HoldsVufd(const Cgroup& cgroup, const std::vector<Cgroup>& own) {
  const Path path(cgroup.path);
  return absl::c_any_of(own, [&](const Cgroup& mine) {
    const Path here(mine.path);
    // Further out than vufd is, or as far, on the way to the root.
    const bool above = path.below.empty() && here.steps_out <= path.steps_out;
    return mine.controllers == cgroup.controllers && (above || IsWithin(here, path));
  });
}

// Where the hierarchy of `cgroup` is mounted, and the path below that.
struct Place {
  std::string mount_point;
  std::string below;
};

absl::StatusOr<Place> Find(const Cgroup& cgroup, const std::vector<Mount>& mounts) {
  const Path path(cgroup.path);
  for (const Mount& mount : mounts) {
    const bool fits = cgroup.controllers.empty()
                          ? mount.file_system == "cgroup2"
                          : mount.file_system == "cgroup" && HasFreezer(mount.options);
    const Path root(mount.root);
    if (!fits || !IsWithin(path, root)) continue;
    return Place{mount.mount_point, std::string(path.below.substr(root.below.size()))};
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
