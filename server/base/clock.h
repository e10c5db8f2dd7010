// The time, behind a port so that tests can choose it.
#ifndef VUFD_SERVER_BASE_CLOCK_H_
#define VUFD_SERVER_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace vuf {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class SystemClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

// So recent that what was seen then is taken for the present where no more than this is needed.
inline constexpr absl::Duration kJustNow = absl::Seconds(2);
// A clock that was set back tells nothing.
inline bool IsJustNow(absl::Time at, absl::Time now) { return at <= now && now <= at + kJustNow; }

class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration d) { now_ += d; }

 private:
  absl::Time now_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_CLOCK_H_
