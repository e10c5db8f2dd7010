// A back-end: the process that serves a vhost-user-fs socket, and the directory it shares.
#ifndef VUFD_SERVER_MODEL_BACK_END_H_
#define VUFD_SERVER_MODEL_BACK_END_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/model/evidence.h"
#include "server/model/process.h"
#include "server/model/version.h"

namespace vuf {

// What the kind of back-end is. Unknown kinds are never allowed to migrate.
enum class BackEndKind {
  kUnknown = 0,
  kVirtiofsd,   // Rust, https://gitlab.com/virtio-fs/virtiofsd
  kVirtiofsdC,  // the C daemon of QEMU up to 7.2
  kFilestoreVhost,
  kKeeper,
  kProfiled,  // matched by a profile of the operator's
};

// One-letter state of /proc/PID/stat, reduced to what matters here; kFrozen is its control group's.
enum class ProcessState {
  kUnknown = 0,
  kRunning,
  kStopped,
  kZombie,
  kUninterruptible,
  kFrozen,
};

// virtiofsd's options with the defaults of its version filled in; names are the long options
// without dashes, flags have the value "true" or "false". Legacy `-o` options are translated.
using BackEndOptions = std::map<std::string, std::string>;

// The shared directory as the back-end itself sees it.
struct ShareId {
  FileId root;
  // e.g. "ext4", "overlay", "nfs4".
  std::string file_system;
  // What the mount was made from (mountinfo), e.g. "/dev/vda1" or "server:/export".
  std::string mount_source;
  bool mount_read_only = false;
  bool operator==(const ShareId&) const = default;
};

// The descriptors of a process.
struct DescriptorFacts {
  uint64_t open = 0;
  // How many it may have: its soft RLIMIT_NOFILE.
  uint64_t limit = 0;
  bool operator==(const DescriptorFacts&) const = default;
};

// What a back-end that hands over its files by their paths holds open below its share.
struct OpenFileFacts {
  // Descriptors that were looked at, whatever they lead to.
  uint64_t looked_at = 0;
  // Of files that have no name any more, and the last name of one of them.
  uint64_t deleted = 0;
  std::string deleted_example;
  // Of files whose path is not UTF-8.
  uint64_t not_utf8 = 0;
  bool operator==(const OpenFileFacts&) const = default;
};

// Whom the kernel takes a process for: "uid" and "gid" (effective), "uid_map" and "gid_map".
using ProcessIds = std::map<std::string, std::string>;

// The socket that a front-end is connected to, from NETLINK_SOCK_DIAG.
struct SocketFacts {
  std::string path;
  // The file the socket was bound to, and the file at that path now; equal in a sane world.
  FileId bound_file;
  FileId file_at_path;
  // Inode of the back-end's end of the connection.
  uint64_t peer_inode = 0;
  bool operator==(const SocketFacts&) const = default;
};

// What vuf-keeper says about the session it keeps (proto/vuf/v1/keeper.proto), and who has it.
struct KeeperFacts {
  enum class Phase { kUnknown = 0, kNone, kArmed, kSaved, kLoaded };
  enum class Role { kUnknown = 0, kIdle, kDriver, kNominee, kFenced };
  struct FrontEnd {
    // The keeper's end of the connection: SocketFacts::peer_inode of the device that has the other.
    uint64_t socket_inode = 0;
    Role role = Role::kUnknown;
    bool undrained = false;
    bool operator==(const FrontEnd&) const = default;
  };
  // Where vufd reached it.
  std::string control_socket;
  std::string instance;
  std::string session;
  std::string version;
  std::vector<FrontEnd> front_ends;
  Phase phase = Phase::kUnknown;
  // The permit in force, and that of the last hand-over done; empty: none.
  std::string permit;
  std::string handed_over_permit;
  bool fenced = false;
  uint64_t back_end_features = 0;
  uint64_t back_end_protocol_features = 0;
  // The keeper's end of its connection to the back-end behind it.
  uint64_t back_end_socket_inode = 0;
  uint32_t unanswered = 0;
  std::string last_refusal;
  uint64_t last_drain_us = 0;
  uint64_t last_replace_us = 0;
  bool operator==(const KeeperFacts&) const = default;
};

// In one word; `unknown` is what to say when nobody has seen it.
const char* PhaseName(KeeperFacts::Phase phase, const char* unknown);

// The process behind a keeper that has the FUSE session.
struct KeptBackEnd {
  ProcessId process;
  ProcessState state = ProcessState::kUnknown;
  std::string executable;
  bool operator==(const KeptBackEnd&) const = default;
};

struct BackEndFacts {
  Evidence<SocketFacts> socket;
  Evidence<ProcessId> process;
  // When the eldest process began, in clock ticks since boot, that this one was forked from without
  // becoming another program; its own start when there is none.
  Evidence<uint64_t> first_start_ticks;
  Evidence<ProcessState> process_state;
  // readlink /proc/PID/exe, without " (deleted)".
  Evidence<std::string> executable;
  // The running executable's file was removed or replaced since it started.
  Evidence<bool> executable_deleted;
  // First line of `executable --version`.
  Evidence<std::string> version_line;
  Evidence<BackEndKind> kind;
  Evidence<Version> version;
  Evidence<BackEndOptions> options;
  // "features" of --print-capabilities of the running executable.
  Evidence<std::set<std::string>> features;
  // Effective capabilities of the process (CapEff).
  Evidence<uint64_t> effective_capabilities;
  Evidence<ShareId> share;
  // Whether the share's file system gives out handles to reopen files by: tried on its root.
  Evidence<bool> file_handles;
  // Mounts below the share as the back-end sees them: where, and what.
  Evidence<std::set<std::string>> submounts;
  Evidence<ProcessIds> ids;
  // SELinux context or AppArmor profile; known and empty: none.
  Evidence<std::string> security_label;
  Evidence<DescriptorFacts> descriptors;
  // Of a virtiofsd with --migration-mode=find-paths only.
  Evidence<OpenFileFacts> open_files;
  // Front-ends connected to the endpoint's socket, as seen by sock_diag.
  Evidence<int> front_ends;
  // Modes that the matching profile says this back-end can do at all. "Known and empty" is: none.
  struct ProfileModes {
    bool stateless = false;
    bool stateful = false;
    std::string profile;  // "backEndProfiles/..."
    bool operator==(const ProfileModes&) const = default;
  };
  Evidence<ProfileModes> profile_modes;
  // Of kind kKeeper only: what it says, and who serves behind it. With another kind both stay
  // unknown and no rule asks for them.
  Evidence<KeeperFacts> keeper;
  Evidence<KeptBackEnd> kept;
  bool operator==(const BackEndFacts&) const = default;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_BACK_END_H_
