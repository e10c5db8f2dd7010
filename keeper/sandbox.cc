#include "keeper/sandbox.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "keeper/sandbox_landlock.h"

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
    SCMP_SYS(nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    // clocks, where the vDSO has none
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    // new front-ends and control clients, and another back-end
    SCMP_SYS(accept4),
    SCMP_SYS(getsockopt),
    SCMP_SYS(connect),
    // placeholders for a guest's memory
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
    // nonces
    SCMP_SYS(getrandom),
    // the allocator; see AllowSome for what it shares with others
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    // the end: its names, the back-end it started
    SCMP_SYS(unlink),
    SCMP_SYS(wait4),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
};

// What a C library may try in passing and does without: the guest is not worth losing for it.
constexpr int kRefused[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(statx),      SCMP_SYS(access),
    SCMP_SYS(faccessat),  SCMP_SYS(readlink),   SCMP_SYS(getcwd),
    SCMP_SYS(ioctl),      SCMP_SYS(lseek),      SCMP_SYS(prlimit64),
    SCMP_SYS(prctl),      SCMP_SYS(uname),      SCMP_SYS(sysinfo),
    SCMP_SYS(membarrier), SCMP_SYS(getrusage),  SCMP_SYS(sched_getaffinity),
    SCMP_SYS(readlinkat), SCMP_SYS(faccessat2),
};

std::string Problem(const char* what) { return std::string(what) + ": " + strerror(errno); }

std::string DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) == 0 ? "" : Problem("capset");
}

// Calls of which only some uses are allowed.
int AllowSome(scmp_filter_ctx context, pid_t child) {
  const auto self = static_cast<scmp_datum_t>(getpid());
  int error =
      seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
  // Memory that holds no program.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    if (error != 0) return error;
    error = seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  // abort(), so that a core says where.
  if (error == 0) {
    error =
        seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self));
  }
  if (error != 0 || child == 0) return error;
  return seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
                          SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(child)));
}

int FillFilter(scmp_filter_ctx context, pid_t child) {
  int error = AllowSome(context, child);
  for (const int call : kAllowed) {
    if (error == 0) error = seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0);
  }
  for (const int call : kRefused) {
    if (error == 0) error = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  return error == 0 ? seccomp_load(context) : error;
}

std::string FilterSystemCalls(pid_t child) {
  const scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (context == nullptr) return "seccomp_init failed";
  const int error = FillFilter(context, child);
  seccomp_release(context);
  return error == 0 ? "" : std::string("seccomp: ") + strerror(-error);
}

}  // namespace

std::string EnterSandbox(const SandboxOptions& options) {
  // The first use of a calendar reads a file; the log's would be the first.
  tzset();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Problem("no_new_privs");
  std::string problem = RestrictFiles(options.directories);
  if (problem.empty()) problem = DropCapabilities();
  if (problem.empty()) problem = FilterSystemCalls(options.child);
  return problem;
}

}  // namespace vuf::keeper
