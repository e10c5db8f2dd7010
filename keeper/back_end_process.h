// A back-end that the keeper starts.
#ifndef VUFD_KEEPER_BACK_END_PROCESS_H_
#define VUFD_KEEPER_BACK_END_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "keeper/fd.h"

namespace vuf::keeper {

class BackEndProcess {
 public:
  BackEndProcess() = default;
  // Gives it a moment to end by itself, now that its connection is closed, then ends it.
  ~BackEndProcess();
  BackEndProcess(const BackEndProcess&) = delete;
  BackEndProcess& operator=(const BackEndProcess&) = delete;

  // Starts `command`, in whose arguments {fd} becomes the number of `listener`. It gets a SIGTERM
  // when the keeper dies. Returns what failed, or "".
  std::string Start(std::vector<std::string> command, const Fd& listener);
  pid_t pid() const { return pid_; }
  // How it ended, in words; absent while it runs or when none was started.
  std::optional<std::string> Ended();
  // The same, and gives it two seconds to end.
  std::optional<std::string> AwaitEnd();

 private:
  pid_t pid_ = 0;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_BACK_END_PROCESS_H_
