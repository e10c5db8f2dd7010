// The host of MigrationWorld with keepers: fs0's session stays at one keeper that has both QEMUs,
// fs1's moves between two. The fake QEMUs do with them what real ones do.
#ifndef VUFD_SERVER_MIGRATION_KEPT_WORLD_H_
#define VUFD_SERVER_MIGRATION_KEPT_WORLD_H_

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "server/migration/migration_world.h"

namespace vuf {

// Control sockets of the keepers.
inline constexpr char kStays[] = "/run/fs0.control";
inline constexpr char kMovesFrom[] = "/run/fs1-source.control";
inline constexpr char kMovesTo[] = "/run/fs1-destination.control";

class KeptWorld : public MigrationWorld {
 public:
  KeptWorld();

  // "" when the source's QEMU has its sessions, no permit is in force and no driver was refused;
  // otherwise what is wrong.
  std::string NotAtSource() const;
  // "" when the destination's QEMU has its sessions; otherwise what is wrong.
  std::string NotAtDestination() const;
  KeeperFacts::Phase Phase(const std::string& control_socket) const {
    return keepers.Facts(control_socket).phase;
  }
  // A QEMU that runs no longer takes its sessions.
  void StartNothing() { starts_ = false; }

 private:
  struct FrontEnd {
    std::string vm;
    // As the VM's device has it.
    std::string fs_socket;
    std::string control_socket;
    uint64_t inode;
  };

  void Connect(const FrontEnd& front_end, int keeper_pid);
  void AddKeepers(VmFacts& vm);
  std::string NotAt(const std::string& vm) const;
  absl::Status ForEach(const std::string& vm,
                       const std::function<absl::Status(const FrontEnd&)>& act) const;
  FakeBackEnds BackEnds();

  std::vector<FrontEnd> front_ends_;
  std::atomic<bool> starts_ = true;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_KEPT_WORLD_H_
