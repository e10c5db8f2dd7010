// How fast the servers answer: throughput of large requests and latency of small ones. The shares
// are measured in turn by one process, so that whatever else the machine does hits all alike.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "share.h"

enum {
  kSmall = 4096,
  kLarge = 128 * 1024,
  kFile = 16 * 1024 * 1024,
  kSamples = 256,
  kMaxTargets = 8,
};

typedef unsigned long long ull;

struct target {
  struct share* share;
  char path[128];
  int fd;  // direct: the guest's page cache answers nothing
};

static char* buffer;  // aligned, for direct I/O

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_size(const void* left, const void* right) {
  uint64_t a = *(const uint64_t*)left, b = *(const uint64_t*)right;
  return a < b ? -1 : a > b;
}

// Writes (or reads) the whole file; returns kB/s, 0 after an error.
static uint64_t stream(const struct target* t, bool writing) {
  uint64_t started = now_ns();
  for (off_t at = 0; at < kFile; at += kLarge) {
    ssize_t done = writing ? pwrite(t->fd, buffer, kLarge, at) : pread(t->fd, buffer, kLarge, at);
    if (done != kLarge) return failed(t->share, writing ? "measure-write" : "measure-read"), 0;
  }
  return kFile * 1000000ull / (now_ns() - started + 1);
}

static bool small_read(const struct target* t, unsigned i) {
  off_t at = (off_t)(i * 2654435761u % (kFile / kSmall)) * kSmall;
  return pread(t->fd, buffer, kSmall, at) == kSmall;
}

static bool small_synced_write(const struct target* t, unsigned i) {
  off_t at = (off_t)(i * 2654435761u % (kFile / kSmall)) * kSmall;
  return pwrite(t->fd, buffer, kSmall, at) == kSmall && fsync(t->fd) == 0;
}

static bool open_and_close(const struct target* t, unsigned i) {
  (void)i;
  int fd = open(t->path, O_RDWR);
  return fd >= 0 && close(fd) == 0;
}

static bool ask_attributes(const struct target* t, unsigned i) {
  (void)i;
  struct statx unused;
  return statx(AT_FDCWD, t->path, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &unused) == 0;
}

static const struct {
  const char* name;
  bool (*run)(const struct target*, unsigned);
} kOperations[] = {{"stat", ask_attributes},
                   {"open", open_and_close},
                   {"read4k", small_read},
                   {"sync4k", small_synced_write}};

// Times single runs of one operation and prints their median and 99th percentile.
static int measure_operation(const struct target* t, size_t which, char* out, size_t size) {
  static uint64_t samples[kSamples];
  for (unsigned i = 0; i < kSamples; i++) {
    uint64_t started = now_ns();
    if (!kOperations[which].run(t, i)) failed(t->share, kOperations[which].name);
    samples[i] = now_ns() - started;
  }
  qsort(samples, kSamples, sizeof *samples, by_size);
  const char* name = kOperations[which].name;
  return snprintf(out, size, " %s_p50_ns=%llu %s_p99_ns=%llu", name, (ull)samples[kSamples / 2],
                  name, (ull)samples[kSamples * 99 / 100]);
}

static void measure_round(const struct target* t, uint64_t round) {
  char line[400];
  uint64_t write_rate = stream(t, true);
  uint64_t read_rate = stream(t, false);
  int length = snprintf(line, sizeof line, "write_kb_s=%llu read_kb_s=%llu", (ull)write_rate,
                        (ull)read_rate);
  for (size_t i = 0; i < sizeof kOperations / sizeof *kOperations; i++)
    length += measure_operation(t, i, line + length, sizeof line - (size_t)length);
  say("IO %s round=%llu %s\n", t->share->tag, (ull)round, line);
  t->share->records = round;
  t->share->last_ms = now_ms();
}

void measure_forever(struct share* shares, int count) {
  static struct target targets[kMaxTargets];
  void* aligned = NULL;
  if (posix_memalign(&aligned, kSmall, kLarge) != 0) return failed(shares, "memory");
  buffer = aligned;
  memset(buffer, 'm', kLarge);
  for (int i = 0; i < count; i++) {
    struct target* t = &targets[i];
    t->share = &shares[i];
    snprintf(t->path, sizeof t->path, "/mnt/%s/measure.bin", shares[i].tag);
    t->fd = open(t->path, O_CREAT | O_RDWR | O_DIRECT, 0600);
    if (t->fd < 0) return failed(t->share, "measure-open");
  }
  // Forth and back, so that none is always the first.
  for (uint64_t round = 1;; round++)
    for (int i = 0; i < count; i++) measure_round(&targets[round % 2 ? i : count - 1 - i], round);
}
