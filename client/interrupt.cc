#include "client/interrupt.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace vuf::cli {
namespace {

// Far apart, so that the sum of both, should they meet, still tells them apart.
constexpr uint64_t kInterrupted = 1;
constexpr uint64_t kEnd = uint64_t{1} << 32;

std::atomic<int> g_event{-1};

void Send(int event, uint64_t value) {
  while (write(event, &value, sizeof(value)) < 0 && errno == EINTR) {
  }
}

void OnSignal(int) {
  const int error = errno;
  Send(g_event.load(), kInterrupted);
  errno = error;
}

}  // namespace

InterruptScope::InterruptScope(std::function<void()> on_interrupt)
    : event_(eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([event = event_, on_interrupt = std::move(on_interrupt)] {
    uint64_t value = 0;
    while (value < kEnd) {
      const ssize_t got = read(event, &value, sizeof(value));
      if (got < 0 && errno != EINTR) return;
      if (got > 0 && value % kEnd != 0) on_interrupt();
    }
  });
  g_event = event_;
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, &before_);
}

InterruptScope::~InterruptScope() {
  sigaction(SIGINT, &before_, nullptr);
  Send(event_, kEnd);
  thread_.join();
  close(event_);
}

}  // namespace vuf::cli
