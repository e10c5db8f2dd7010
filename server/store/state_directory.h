// The directory that holds the agent's durable state, owned by one agent at a time.
#ifndef VUFD_SERVER_STORE_STATE_DIRECTORY_H_
#define VUFD_SERVER_STORE_STATE_DIRECTORY_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vuf {

// A held lock; letting go of it ends with the object or with the process, however that dies.
class DirectoryLock {
 public:
  // NOT_FOUND, FAILED_PRECONDITION (no directory, or another agent has it) and PERMISSION_DENIED
  // say what to do.
  static absl::StatusOr<DirectoryLock> Acquire(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_;
};

// Makes the directory's entries durable: a file that was created or renamed in it is there after
// a loss of power.
absl::Status SyncDirectory(const std::string& directory);

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_STATE_DIRECTORY_H_
