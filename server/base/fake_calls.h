// How a test makes the calls to a fake behind a port fail, watches them and counts them.
#ifndef VUFD_SERVER_BASE_FAKE_CALLS_H_
#define VUFD_SERVER_BASE_FAKE_CALLS_H_

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace vuf {

struct FakeFailure {
  absl::Status status;
  // Calls that still go well first, and how many then fail.
  int skip = 0;
  int times = 1000000;
  // The call takes effect, only its answer is lost: what a deadline or a dead connection hides.
  bool after_effect = false;
};

// `Call` is the fake's enumeration of its calls, `target` the address it is called at. Not
// thread-safe: the fake guards it.
template <typename Call>
class FakeCalls {
 public:
  void Fail(const std::string& target, Call call, const FakeFailure& failure) {
    failures_[{target, call}] = failure;
  }
  // Replaces an earlier one. The fake runs it before the call takes effect, without its lock.
  void Before(const std::string& target, Call call, const std::function<void()>& hook) {
    hooks_[{target, call}] = hook;
  }
  // May be empty.
  std::function<void()> Hook(const std::string& target, Call call) const {
    const auto it = hooks_.find({target, call});
    return it == hooks_.end() ? nullptr : it->second;
  }

  void Count(const std::string& target, Call call) { ++counts_[{target, call}]; }
  int CountOf(const std::string& target, Call call) const {
    const auto it = counts_.find({target, call});
    return it == counts_.end() ? 0 : it->second;
  }

  // What the call is to fail with at this point, before its effect or after it; uses it up.
  absl::Status Injected(const std::string& target, Call call, bool after_effect) {
    const auto it = failures_.find({target, call});
    if (it == failures_.end() || it->second.after_effect != after_effect) return absl::OkStatus();
    FakeFailure& failure = it->second;
    if (failure.skip > 0) {
      --failure.skip;
      return absl::OkStatus();
    }
    if (failure.times <= 0) return absl::OkStatus();
    --failure.times;
    return failure.status;
  }

 private:
  using Key = std::pair<std::string, Call>;

  std::map<Key, FakeFailure> failures_;
  std::map<Key, std::function<void()>> hooks_;
  std::map<Key, int> counts_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_FAKE_CALLS_H_
