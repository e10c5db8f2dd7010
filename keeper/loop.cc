#include "keeper/loop.h"

#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <optional>
#include <string>

namespace vuf::keeper {
namespace {

constexpr size_t kOwn = 2;  // the endpoint's listener and the signals

class Loop {
 public:
  explicit Loop(const LoopParts& parts) : parts_(parts) {}

  End Run() {
    while (true) {
      Wait();
      AcceptFrontEnds();
      const Time now = Clock::now();
      parts_.session->Dispatch(now);
      parts_.control->Dispatch(now);
      if (parts_.session->end().has_value()) {
        // Watchers hear of the end.
        parts_.control->Dispatch(now);
        return *parts_.session->end();
      }
      if (std::optional<End> end = HandleSignals(); end.has_value()) return *end;
    }
  }

 private:
  void Wait() {
    std::array<pollfd, kOwn + Session::kMaxPolled + Control::kMaxPolled> all;
    std::array<pollfd, Session::kMaxPolled> session;
    std::array<pollfd, Control::kMaxPolled> control;
    const size_t sessions = parts_.session->Watch(session);
    const size_t controls = parts_.control->Watch(control);
    size_t count = 0;
    all[count++] = {parts_.endpoint->fd(), POLLIN, 0};
    all[count++] = {parts_.signals, POLLIN, 0};
    for (size_t i = 0; i < sessions; ++i) all[count++] = session[i];
    for (size_t i = 0; i < controls; ++i) all[count++] = control[i];
    const std::optional<std::chrono::microseconds> patience =
        parts_.session->Patience(Clock::now());
    timespec limit = {};
    if (patience.has_value()) {
      const auto nanoseconds = std::chrono::nanoseconds(*patience).count();
      limit.tv_sec = nanoseconds / 1000000000;
      limit.tv_nsec = nanoseconds % 1000000000;
    }
    // Whatever it returns, everything is looked at.
    ppoll(all.data(), count, patience.has_value() ? &limit : nullptr, nullptr);
  }

  void AcceptFrontEnds() {
    while (true) {
      Listener::Peer peer = parts_.endpoint->Accept();
      if (!peer.socket.valid()) return;
      parts_.session->Add(std::move(peer.socket), peer.pid);
    }
  }

  std::optional<End> HandleSignals() {
    signalfd_siginfo signal;
    while (read(parts_.signals, &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo != SIGCHLD) return EndBySignal();
    }
    const std::optional<std::string> ended = parts_.process->Ended();
    if (!ended.has_value() || !parts_.session->has_first_back_end()) return std::nullopt;
    return End{End::kBackEndGone, "the back-end has ended: " + *ended};
  }

  End EndBySignal() const {
    v1::KeeperSession session;
    parts_.session->Describe(Clock::now(), session);
    for (const v1::KeeperFrontEnd& one : session.front_ends()) {
      if (one.role() != v1::KeeperFrontEnd::ROLE_DRIVER) continue;
      return {End::kDriverLeft, "a signal asked for it; the guest of pid " +
                                    std::to_string(one.pid()) + " loses its file system"};
    }
    return {End::kDriverLeft, "a signal asked for it; nobody had the session"};
  }

  const LoopParts parts_;
};

}  // namespace

End RunLoop(const LoopParts& parts) { return Loop(parts).Run(); }

}  // namespace vuf::keeper
