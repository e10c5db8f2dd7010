#include "server/base/wait_ready.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {

absl::Status WaitReady(int fd, short events, absl::Time deadline) {
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("no answer in time");
    // Rounded up, or the last fraction of a millisecond would be spent spinning.
    const int64_t ms =
        absl::ToInt64Milliseconds(std::min(left, absl::Hours(1)) + absl::Milliseconds(1));
    pollfd descriptor = {fd, events, 0};
    const int ready = poll(&descriptor, 1, static_cast<int>(ms));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) {
      return absl::UnavailableError(absl::StrCat("poll: ", std::strerror(errno)));
    }
  }
}

}  // namespace vuf
