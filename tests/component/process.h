// vufd as a process.
#ifndef VUFD_TESTS_COMPONENT_PROCESS_H_
#define VUFD_TESTS_COMPONENT_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace vuf {

// A child with its standard error in a file. Killed, if it still runs, with the object.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const std::string& error_file);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int signal) const;
  // Exit code; -1 when it was killed, -2 when it still runs after `timeout`.
  int Wait(absl::Duration timeout = absl::Seconds(30));
  std::string Errors() const;

 private:
  const std::string error_file_;
  pid_t pid_;
  int result_ = -2;
};

}  // namespace vuf

#endif  // VUFD_TESTS_COMPONENT_PROCESS_H_
