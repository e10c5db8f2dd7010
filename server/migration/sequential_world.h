// The host of MigrationWorld for sequential migrations: one device behind one keeper, and no
// destination until the test adds one.
#ifndef VUFD_SERVER_MIGRATION_SEQUENTIAL_WORLD_H_
#define VUFD_SERVER_MIGRATION_SEQUENTIAL_WORLD_H_

#include <string>

#include "server/migration/migration_world.h"

namespace vuf {

// The keeper's control socket, and its ends of the two QEMUs' connections.
inline constexpr char kKeeper[] = "/run/fs0.control";
inline constexpr uint64_t kSourceInode = 1000;
inline constexpr uint64_t kDestinationInode = 1002;

class SequentialWorld : public MigrationWorld {
 public:
  // Allows whoever answers, and refuses a destination whose guest name is "wrong".
  SequentialWorld();

  // A QEMU at the destination's socket; the one before it must have ended.
  void AddDestination(const std::string& guest_name = "guest",
                      FakeOutcome outcome = FakeOutcome::kCompletes);
  v1::Migration SequentialRequest() const;
  // In a directory of its own.
  const std::string& state_file() const { return state_file_; }

 private:
  void SetKept(const char* fs_socket, uint64_t inode);
  FakeBackEnds BackEnds();

  std::string state_file_;
  int destination_pid_ = 500;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_SEQUENTIAL_WORLD_H_
