// The destination QEMU of an upgrade, when vufctl starts it.
#ifndef VUFD_CLIENT_DESTINATION_PROGRAM_H_
#define VUFD_CLIENT_DESTINATION_PROGRAM_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace vuf::cli {

// A program that is started once and then left to itself: in a session of its own, without a
// terminal, so that it outlives vufctl. What it says on standard error, the first 64 KiB, is kept
// in memory, because by then nobody may be there to read it.
class DestinationProgram {
 public:
  // `words`: the program, looked for in PATH, and its arguments. `qmp_socket`: where its monitor
  // will listen.
  DestinationProgram(std::vector<std::string> words, std::string qmp_socket);
  // Does not end the program.
  ~DestinationProgram();
  DestinationProgram(const DestinationProgram&) = delete;
  DestinationProgram& operator=(const DestinationProgram&) = delete;

  // Looks for the program without starting it.
  absl::Status Find();
  // Starts it. After a successful Find() only.
  absl::Status Start();
  // Waits until a new socket is at the monitor's path. FAILED_PRECONDITION: the program failed
  // first. DEADLINE_EXCEEDED: after `limit`. CANCELLED: give_up() said so. A program that ends with
  // exit code 0 before has put itself into the background.
  absl::Status AwaitMonitor(absl::Duration limit, const std::function<bool()>& give_up);

  // 0 before it was started.
  pid_t pid() const { return pid_; }
  // What it has said on standard error.
  std::string Said() const;

 private:
  // Whether a socket is at the path that was not there before the start.
  bool HasNewSocket() const;
  // Waits a moment. An error once the program has failed.
  absl::Status AwaitEndForAMoment();

  const std::vector<std::string> words_;
  const std::string qmp_socket_;
  std::string path_;
  pid_t pid_ = 0;
  // -1 before the start and when the program has ended.
  int pidfd_ = -1;
  int said_ = -1;
  // What was at the monitor's path before the start; all zero: nothing.
  struct stat before_ = {};
};

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_DESTINATION_PROGRAM_H_
