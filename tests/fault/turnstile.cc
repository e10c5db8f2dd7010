#include "tests/fault/turnstile.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "absl/base/config.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace vuf::turnstile {
namespace {

constexpr int64_t kNever = INT64_MAX;
// 2026-01-01, in nanoseconds.
constexpr int64_t kEpoch = 1767225600'000'000'000;
constexpr int64_t kTurn = 1000;
constexpr int64_t kMillisecond = 1'000'000;

// The C library's own.
enum RealName {
  kPthreadCreate,
  kPthreadJoin,
  kPthreadMutexLock,
  kPthreadMutexUnlock,
  kPthreadCondWait,
  kPthreadCondTimedwait,
  kPthreadCondClockwait,
  kPthreadCondSignal,
  kPthreadCondBroadcast,
  kNanosleep,
  kClockGettime,
  kPoll,
  kConnect,
  kSend,
  kClose,
  kGetrandom,
  kSyscall,
  kRealNames
};
constexpr const char* kNames[kRealNames] = {"pthread_create",
                                            "pthread_join",
                                            "pthread_mutex_lock",
                                            "pthread_mutex_unlock",
                                            "pthread_cond_wait",
                                            "pthread_cond_timedwait",
                                            "pthread_cond_clockwait",
                                            "pthread_cond_signal",
                                            "pthread_cond_broadcast",
                                            "nanosleep",
                                            "clock_gettime",
                                            "poll",
                                            "connect",
                                            "send",
                                            "close",
                                            "getrandom",
                                            "syscall"};
std::atomic<void*> reals[kRealNames];

// Not a static in each function: its guard waits by one of them.
template <typename Function>
Function Real(RealName name) {
  void* real = reals[name].load(std::memory_order_relaxed);
  if (real == nullptr) {
    real = dlsym(RTLD_NEXT, kNames[name]);
    reals[name].store(real, std::memory_order_relaxed);
  }
  return reinterpret_cast<Function>(real);
}

struct Thread {
  int id = 0;
  // What it waits for; nothing: it can go on.
  enum class Wait { kNothing, kMutex, kCondition, kTime, kThread, kWord } wait = Wait::kNothing;
  const void* on = nullptr;
  uint32_t word = 0;
  int64_t until = kNever;
  bool notified = false;
  bool ended = false;
  // 1: it has the turn.
  std::atomic<uint32_t> turn{0};
  pthread_t handle{};
  void* (*function)(void*) = nullptr;
  void* argument = nullptr;
};

// Touched only by whoever has the turn.
struct State {
  explicit State(uint64_t seed) : random(seed) {}

  std::mt19937_64 random;
  int64_t now = kEpoch;
  uint64_t digest = 14695981039346656037U;
  std::vector<std::unique_ptr<Thread>> threads;
  std::unordered_map<const void*, Thread*> owners;

  void Note(uint64_t value) { digest = (digest ^ value) * 1099511628211U; }
};

State* state = nullptr;
thread_local Thread* self = nullptr;

bool Managed() { return state != nullptr && self != nullptr; }

long RealSyscall(long number, long a, long b, long c, long d) {
  return Real<long (*)(long, ...)>(kSyscall)(number, a, b, c, d);
}

void GiveTurn(Thread& thread) {
  thread.turn.store(1);
  RealSyscall(SYS_futex, reinterpret_cast<long>(&thread.turn), FUTEX_WAKE_PRIVATE, 1, 0);
}
void AwaitTurn(Thread& thread) {
  while (thread.turn.load() == 0) {
    RealSyscall(SYS_futex, reinterpret_cast<long>(&thread.turn), FUTEX_WAIT_PRIVATE, 0, 0);
  }
  thread.turn.store(0);
}

bool CanGo(const Thread& thread) {
  if (thread.ended) return false;
  if (thread.until <= state->now) return true;
  switch (thread.wait) {
    case Thread::Wait::kNothing:
      return true;
    case Thread::Wait::kMutex:
      return state->owners.count(thread.on) == 0;
    case Thread::Wait::kCondition:
      return thread.notified;
    case Thread::Wait::kTime:
      return false;
    case Thread::Wait::kThread:
      return static_cast<const Thread*>(thread.on)->ended;
    case Thread::Wait::kWord:
      return reinterpret_cast<const std::atomic<uint32_t>*>(thread.on)->load() != thread.word;
  }
  return false;
}

[[noreturn]] void Deadlock() {
  printf("turnstile: every thread waits for another one\n");
  for (const auto& thread : state->threads) {
    if (thread->ended) continue;
    printf("  thread %d waits for kind %d\n", thread->id, static_cast<int>(thread->wait));
  }
  fflush(stdout);
  abort();
}

Thread* Next() {
  while (true) {
    std::vector<Thread*> can;
    int64_t soonest = kNever;
    for (const auto& thread : state->threads) {
      if (CanGo(*thread)) can.push_back(thread.get());
      if (!thread->ended) soonest = std::min(soonest, thread->until);
    }
    if (!can.empty()) return can[state->random() % can.size()];
    if (soonest == kNever) Deadlock();
    state->now = soonest;
  }
}

// Returns when it is this thread's turn again.
void Turn() {
  state->now += kTurn;
  Thread* const next = Next();
  state->Note(static_cast<uint64_t>(next->id));
  state->Note(static_cast<uint64_t>(state->now));
  if (next == self) return;
  Thread* const me = self;
  GiveTurn(*next);
  AwaitTurn(*me);
}

void WaitFor(Thread::Wait wait, const void* on, int64_t until) {
  self->wait = wait;
  self->on = on;
  self->until = until;
  Turn();
  self->wait = Thread::Wait::kNothing;
  self->until = kNever;
}

void Take(const void* mutex) {
  while (state->owners.count(mutex) > 0) WaitFor(Thread::Wait::kMutex, mutex, kNever);
  state->owners[mutex] = self;
}

void MaybeTurn() {
  if (state->random() % 8 == 0) Turn();
}

int64_t Nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

int WaitForCondition(pthread_cond_t* condition, pthread_mutex_t* mutex, int64_t until) {
  self->notified = false;
  state->owners.erase(mutex);
  WaitFor(Thread::Wait::kCondition, condition, until);
  const bool notified = self->notified;
  Take(mutex);
  return notified ? 0 : ETIMEDOUT;
}

void Notify(const pthread_cond_t* condition, bool all) {
  for (const auto& thread : state->threads) {
    if (thread->wait != Thread::Wait::kCondition || thread->on != condition) continue;
    if (thread->notified) continue;
    thread->notified = true;
    if (!all) return;
  }
}

void* Trampoline(void* argument) {
  auto* const thread = static_cast<Thread*>(argument);
  AwaitTurn(*thread);
  self = thread;
  void* const result = thread->function(thread->argument);
  thread->ended = true;
  Thread* const next = Next();
  state->Note(static_cast<uint64_t>(next->id));
  self = nullptr;
  GiveTurn(*next);
  return result;
}

Thread* Find(pthread_t handle) {
  for (const auto& thread : state->threads) {
    if (thread->id != 0 && pthread_equal(thread->handle, handle) != 0) return thread.get();
  }
  return nullptr;
}

// In real time: until the peer's end has everything that went into `fd`, and a little longer for
// what cannot be asked.
void Settle(int fd, short events) {
  pollfd ready = {fd, events, 0};
  if (fd >= 0) (void)Real<decltype(&poll)>(kPoll)(&ready, 1, 1000);
  int left = 0;
  for (int i = 0; fd >= 0 && i < 1000 && ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0; ++i) {
    sched_yield();
  }
  const timespec moment = {0, 20'000};
  (void)Real<decltype(&nanosleep)>(kNanosleep)(&moment, nullptr);
}

}  // namespace

void Begin(uint64_t seed) {
  state = new State(seed);
  state->threads.push_back(std::make_unique<Thread>());
  self = state->threads.back().get();
}

uint64_t End() {
  for (const auto& thread : state->threads) {
    if (thread.get() == self || thread->ended) continue;
    fprintf(stderr, "turnstile: thread %d has not ended\n", thread->id);
    abort();
  }
  const uint64_t digest = state->digest;
  delete state;
  state = nullptr;
  self = nullptr;
  return digest;
}

}  // namespace vuf::turnstile

// The program's own definitions come before the C library's, also for the libraries that it uses.
namespace ts = vuf::turnstile;

extern "C" {

int pthread_create(pthread_t* handle, const pthread_attr_t* attributes, void* (*function)(void*),
                   void* argument) {
  const auto real = ts::Real<decltype(&pthread_create)>(ts::kPthreadCreate);
  if (!ts::Managed()) return real(handle, attributes, function, argument);
  auto thread = std::make_unique<ts::Thread>();
  thread->id = static_cast<int>(ts::state->threads.size());
  thread->function = function;
  thread->argument = argument;
  const int error = real(handle, attributes, ts::Trampoline, thread.get());
  if (error != 0) return error;
  thread->handle = *handle;
  ts::state->threads.push_back(std::move(thread));
  ts::MaybeTurn();
  return 0;
}

int pthread_join(pthread_t handle, void** result) {
  const auto real = ts::Real<decltype(&pthread_join)>(ts::kPthreadJoin);
  if (!ts::Managed()) return real(handle, result);
  ts::Thread* const thread = ts::Find(handle);
  if (thread != nullptr && !thread->ended) {
    ts::WaitFor(ts::Thread::Wait::kThread, thread, ts::kNever);
  }
  // Another thread may get the same handle.
  if (thread != nullptr) thread->handle = {};
  return real(handle, result);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  const auto real = ts::Real<decltype(&pthread_mutex_lock)>(ts::kPthreadMutexLock);
  if (!ts::Managed()) return real(mutex);
  ts::MaybeTurn();
  ts::Take(mutex);
  return 0;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) {
  const auto real = ts::Real<decltype(&pthread_mutex_unlock)>(ts::kPthreadMutexUnlock);
  if (!ts::Managed()) return real(mutex);
  ts::state->owners.erase(mutex);
  return 0;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  const auto real = ts::Real<decltype(&pthread_cond_wait)>(ts::kPthreadCondWait);
  if (!ts::Managed()) return real(condition, mutex);
  return ts::WaitForCondition(condition, mutex, ts::kNever);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  const auto real = ts::Real<decltype(&pthread_cond_timedwait)>(ts::kPthreadCondTimedwait);
  if (!ts::Managed()) return real(condition, mutex, until);
  return ts::WaitForCondition(condition, mutex, ts::Nanoseconds(*until));
}

// One time for all clocks.
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  const auto real = ts::Real<decltype(&pthread_cond_clockwait)>(ts::kPthreadCondClockwait);
  if (!ts::Managed()) return real(condition, mutex, clock, until);
  return ts::WaitForCondition(condition, mutex, ts::Nanoseconds(*until));
}

int pthread_cond_signal(pthread_cond_t* condition) {
  const auto real = ts::Real<decltype(&pthread_cond_signal)>(ts::kPthreadCondSignal);
  if (!ts::Managed()) return real(condition);
  ts::Notify(condition, false);
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* condition) {
  const auto real = ts::Real<decltype(&pthread_cond_broadcast)>(ts::kPthreadCondBroadcast);
  if (!ts::Managed()) return real(condition);
  ts::Notify(condition, true);
  return 0;
}

int nanosleep(const timespec* how_long, timespec* left) {
  const auto real = ts::Real<decltype(&nanosleep)>(ts::kNanosleep);
  if (!ts::Managed()) return real(how_long, left);
  const int64_t until = ts::state->now + ts::Nanoseconds(*how_long);
  ts::WaitFor(ts::Thread::Wait::kTime, nullptr, until);
  return 0;
}

int clock_gettime(clockid_t clock, timespec* now) {
  const auto real = ts::Real<decltype(&clock_gettime)>(ts::kClockGettime);
  if (!ts::Managed()) return real(clock, now);
  now->tv_sec = ts::state->now / 1'000'000'000;
  now->tv_nsec = ts::state->now % 1'000'000'000;
  return 0;
}

// Loopback needs nobody's help, so what is not ready waits for another thread.
int poll(pollfd* fds, nfds_t count, int timeout) {
  const auto real = ts::Real<decltype(&poll)>(ts::kPoll);
  if (!ts::Managed()) return real(fds, count, timeout);
  const int64_t until = timeout < 0 ? ts::kNever : ts::state->now + timeout * ts::kMillisecond;
  while (true) {
    const int ready = real(fds, count, 0);
    if (ready != 0 || ts::state->now >= until) return ready;
    const int64_t look = std::min(until, ts::state->now + ts::kMillisecond);
    ts::WaitFor(ts::Thread::Wait::kTime, nullptr, look);
  }
}

// The kernel may bring what is sent to its other end a moment later, which must not be seen.
int connect(int fd, const sockaddr* address, socklen_t size) {
  const int result = ts::Real<decltype(&connect)>(ts::kConnect)(fd, address, size);
  const int error = errno;
  if (ts::Managed()) ts::Settle(fd, POLLOUT);
  errno = error;
  return result;
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  const ssize_t result = ts::Real<decltype(&send)>(ts::kSend)(fd, bytes, size, flags);
  const int error = errno;
  if (ts::Managed()) ts::Settle(fd, POLLOUT);
  errno = error;
  return result;
}

int close(int fd) {
  const int result = ts::Real<decltype(&close)>(ts::kClose)(fd);
  if (ts::Managed()) ts::Settle(-1, 0);
  return result;
}

ssize_t getrandom(void* bytes, size_t size, unsigned int flags) {
  const auto real = ts::Real<decltype(&getrandom)>(ts::kGetrandom);
  if (!ts::Managed()) return real(bytes, size, flags);
  for (size_t i = 0; i < size; ++i) {
    static_cast<unsigned char*>(bytes)[i] = static_cast<unsigned char>(ts::state->random());
  }
  return static_cast<ssize_t>(size);
}

// std::future waits so.
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && ts::Managed()) {
    const long operation = a[1] & FUTEX_CMD_MASK;
    if (operation == FUTEX_WAKE) return 0;
    if (operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET) {
      ts::self->word = static_cast<uint32_t>(a[2]);
      ts::WaitFor(ts::Thread::Wait::kWord, reinterpret_cast<const void*>(a[0]), ts::kNever);
      return 0;
    }
  }
  const auto real = ts::Real<long (*)(long, ...)>(ts::kSyscall);
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"

// Abseil's reads the processor's counter between two looks at the clock.
namespace absl {
ABSL_NAMESPACE_BEGIN
Time Now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return TimeFromTimespec(now);
}
ABSL_NAMESPACE_END
}  // namespace absl
