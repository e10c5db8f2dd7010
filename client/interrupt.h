// Ctrl-C as a function call.
#ifndef VUFD_CLIENT_INTERRUPT_H_
#define VUFD_CLIENT_INTERRUPT_H_

#include <csignal>
#include <functional>
#include <thread>

namespace vuf::cli {

// While one is alive, the first SIGINT calls `on_interrupt` on a thread of its own; a second one
// ends the process as usual. At most one at a time.
class InterruptScope {
 public:
  explicit InterruptScope(std::function<void()> on_interrupt);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  // An eventfd, because a signal handler may do little more than write(2).
  const int event_;
  struct sigaction before_ = {};
  std::thread thread_;
};

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_INTERRUPT_H_
