// What depends on versions and names, as data: the only place to touch when one is added.
#ifndef VUFD_SERVER_DECISION_TABLES_H_
#define VUFD_SERVER_DECISION_TABLES_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/model/version.h"

namespace vuf {

// [from, below).
struct VersionRange {
  Version from;
  Version below;

  bool Contains(const Version& version) const { return version >= from && version < below; }
};

// The first QEMU that carries a back-end's state in its stream.
inline constexpr Version kQemuCarriesState = {8, 2, 0};
// The first whose x-ignore-shared leaves out only what is in named files.
inline constexpr Version kQemuIgnoresNamedFilesOnly = {10, 0, 0};
// QEMU series that vufd's rules were tried with.
inline constexpr VersionRange kQemuTried[] = {
    {{7, 2, 0}, {7, 3, 0}}, {{10, 0, 0}, {10, 1, 0}}, {{11, 1, 0}, {11, 2, 0}}};

// Rust virtiofsd.
// The first that can migrate at all.
inline constexpr Version kVirtiofsdMigrates = {1, 11, 0};
// Its state has a second format, which older ones cannot read.
inline constexpr Version kVirtiofsdStateV2 = {1, 12, 0};
// Embeds vhost-user-backend 0.22 or later, which no longer consumes kicks of a disabled ring.
inline constexpr Version kVirtiofsdKeepsKicks = {1, 14, 0};
inline constexpr VersionRange kVirtiofsdTried[] = {{{1, 13, 0}, {1, 15, 0}}};

// Options of virtiofsd that a version before `since` does not have, and what their absence means.
struct OptionHistory {
  const char* option;
  Version since;
  const char* before;
};
inline constexpr OptionHistory kVirtiofsdOptionHistory[] = {
    {"migration-mode", {1, 12, 0}, "find-paths"},
    {"migration-on-error", {1, 11, 0}, "abort"},
    {"migration-verify-handles", {1, 12, 0}, "false"},
    {"migration-confirm-paths", {1, 12, 0}, "false"},
};

// File systems whose files more than one host can have.
inline constexpr const char* kNetworkFileSystems[] = {"nfs", "nfs4", "ceph", "lustre", "gpfs"};

// What it means that source and destination have different values of an option.
enum class Drift {
  kHarmless,  // of this instance only, or judged by a rule of its own
  kSuspicious,
  kHarmful,
};
struct OptionDrift {
  absl::string_view option;
  Drift drift;
};
inline constexpr OptionDrift kOptionDrift[] = {
    {"allow-direct-io", Drift::kSuspicious},
    {"allow-mmap", Drift::kSuspicious},
    {"announce-submounts", Drift::kHarmless},
    {"cache", Drift::kSuspicious},
    {"d", Drift::kHarmless},
    {"f", Drift::kHarmless},
    {"fd", Drift::kHarmless},
    {"gid-map", Drift::kHarmful},
    {"inode-file-handles", Drift::kHarmless},
    {"killpriv-v2", Drift::kSuspicious},
    {"log-level", Drift::kHarmless},
    {"migration-confirm-paths", Drift::kHarmless},
    {"migration-mode", Drift::kHarmless},
    {"migration-on-error", Drift::kHarmless},
    {"migration-verify-handles", Drift::kHarmless},
    {"modcaps", Drift::kHarmless},
    {"no-announce-submounts", Drift::kHarmless},
    {"no-killpriv-v2", Drift::kSuspicious},
    {"no-readdirplus", Drift::kSuspicious},
    {"posix-acl", Drift::kHarmless},
    {"preserve-noatime", Drift::kSuspicious},
    {"print-capabilities", Drift::kHarmless},
    {"readdirplus", Drift::kSuspicious},
    {"readonly", Drift::kHarmful},
    {"rlimit-nofile", Drift::kSuspicious},
    {"sandbox", Drift::kHarmless},
    {"seccomp", Drift::kHarmless},
    {"security-label", Drift::kHarmless},
    {"shared-dir", Drift::kHarmless},
    {"socket", Drift::kHarmless},
    {"socket-group", Drift::kHarmless},
    {"socket-path", Drift::kHarmless},
    {"syslog", Drift::kHarmless},
    {"tag", Drift::kHarmful},
    {"thread-pool-size", Drift::kHarmless},
    {"translate-gid", Drift::kHarmful},
    {"translate-uid", Drift::kHarmful},
    {"uid-map", Drift::kHarmful},
    {"writeback", Drift::kHarmless},
    {"xattr", Drift::kHarmful},
    {"xattrmap", Drift::kHarmful},
};

// File systems that give out handles and may not find the files by them again. What gives out none
// at all (overlayfs without nfs_export, 9p) is seen by asking for one.
inline constexpr const char* kDoubtfulHandles[] = {"fuse", "aufs", "ecryptfs", "vboxsf"};

// A back-end that has more descriptors than this knows so many files that the guest stands still
// for half a second and more (docs/performance.md: 10 k inodes).
inline constexpr uint64_t kManyDescriptors = 10'000;

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_TABLES_H_
