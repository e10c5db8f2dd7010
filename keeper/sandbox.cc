#include "keeper/sandbox.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace vuf::keeper {
namespace {

// Grouped by why they are needed.
constexpr int kAllowed[] = {
    // messages and descriptors
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(pipe2),
    // waiting
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    // new front-ends and control clients, and another back-end
    SCMP_SYS(accept4),
    SCMP_SYS(getsockopt),
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    // placeholders for a guest's memory
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
    // nonces
    SCMP_SYS(getrandom),
    // the allocator
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    // the end: its names, the back-end it started
    SCMP_SYS(unlink),
    SCMP_SYS(wait4),
    SCMP_SYS(kill),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(futex),
    // abort(), so that a core says where
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction),
};

std::string Problem(const char* what) { return std::string(what) + ": " + strerror(errno); }

std::string DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) == 0 ? "" : Problem("capset");
}

std::string AllowOnly(scmp_filter_ctx context) {
  for (const int call : kAllowed) {
    const int error = seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0);
    if (error != 0) return std::string("seccomp_rule_add: ") + strerror(-error);
  }
  const int error = seccomp_load(context);
  return error == 0 ? "" : std::string("seccomp_load: ") + strerror(-error);
}

}  // namespace

std::string EnterSandbox() {
  // The first use of a calendar reads a file; the log's would be the first.
  tzset();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Problem("no_new_privs");
  if (std::string problem = DropCapabilities(); !problem.empty()) return problem;
  const scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (context == nullptr) return "seccomp_init failed";
  std::string problem = AllowOnly(context);
  seccomp_release(context);
  return problem;
}

}  // namespace vuf::keeper
