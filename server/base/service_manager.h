// What a service manager is told: sd_notify(3), for units of Type=notify with WatchdogSec=.
#ifndef VUFD_SERVER_BASE_SERVICE_MANAGER_H_
#define VUFD_SERVER_BASE_SERVICE_MANAGER_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace vuf {

class ServiceManager {
 public:
  // As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say; tells nobody when they are not there.
  // Before other threads begin. Programs that are started from here on do not find them.
  static ServiceManager FromEnvironment();

  // `socket`: an absolute path, or '@' and an abstract name; "": nobody is told.
  ServiceManager(std::string socket, absl::Duration watchdog)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  // "READY=1" and the like; several are separated by newlines. Never waits: what cannot be
  // delivered is lost.
  void Tell(absl::string_view state) const;
  // How often it wants to hear WATCHDOG=1 at least; infinite when it does not.
  absl::Duration watchdog() const { return watchdog_; }

 private:
  std::string socket_;
  absl::Duration watchdog_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_SERVICE_MANAGER_H_
