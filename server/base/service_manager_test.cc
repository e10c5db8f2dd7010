#include "server/base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

// A service manager's end: what was told, one datagram each.
class Listener {
 public:
  explicit Listener(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::string Heard() const {
    char buffer[256];
    const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    return n < 0 ? "" : std::string(buffer, static_cast<size_t>(n));
  }

 private:
  const int fd_;
};

class ServiceManagerTest : public ::testing::Test {
 protected:
  ~ServiceManagerTest() override {
    for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
      unsetenv(name);
    }
  }
  TempDirectory directory_;
};

TEST_F(ServiceManagerTest, HearsWhatItIsTold) {
  for (const std::string& name :
       {directory_.Path("notify"), absl::StrCat("@vufd-test-", getpid())}) {
    const Listener listener(name);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const ServiceManager manager = ServiceManager::FromEnvironment();
    manager.Tell("READY=1\nSTATUS=serving");
    EXPECT_EQ(listener.Heard(), "READY=1\nSTATUS=serving") << name;
    EXPECT_EQ(getenv("NOTIFY_SOCKET"), nullptr) << "programs that vufd runs are no part of it";
  }
}

TEST_F(ServiceManagerTest, NobodyIsToldWithoutOne) {
  ServiceManager::FromEnvironment().Tell("READY=1");
  ServiceManager(directory_.Path("nobody"), absl::InfiniteDuration()).Tell("READY=1");
  ServiceManager(std::string(200, 'x'), absl::InfiniteDuration()).Tell("READY=1");
}

TEST_F(ServiceManagerTest, WatchdogIsTheOneOfThisProcess) {
  EXPECT_EQ(ServiceManager::FromEnvironment().watchdog(), absl::InfiniteDuration());
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(ServiceManager::FromEnvironment().watchdog(), absl::Seconds(30));
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  EXPECT_EQ(ServiceManager::FromEnvironment().watchdog(), absl::Seconds(30));
  for (const char* const pid : {"1", "x"}) {
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    EXPECT_EQ(ServiceManager::FromEnvironment().watchdog(), absl::InfiniteDuration()) << pid;
  }
  for (const char* const time : {"", "0", "-1", "soon"}) {
    setenv("WATCHDOG_USEC", time, 1);
    EXPECT_EQ(ServiceManager::FromEnvironment().watchdog(), absl::InfiniteDuration()) << time;
  }
}

}  // namespace
}  // namespace vuf
