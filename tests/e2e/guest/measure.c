// How fast the servers answer large and small requests. One process asks all shares in turn,
// request by request, so that whatever else the machine does hits all alike. Times are in ns.
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
  uint64_t samples[kSamples];
  char line[440];
  int length;
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

static bool large_write(const struct target* t, unsigned i) {
  return pwrite(t->fd, buffer, kLarge, (off_t)i * kLarge) == kLarge;
}

static bool large_read(const struct target* t, unsigned i) {
  return pread(t->fd, buffer, kLarge, (off_t)i * kLarge) == kLarge;
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

struct operation {
  const char* name;
  bool (*run)(const struct target*, unsigned);
  unsigned samples;
};

// The large ones go through the file from its start to its end.
static const struct operation kOperations[] = {
    {"write", large_write, kFile / kLarge}, {"read", large_read, kFile / kLarge},
    {"stat", ask_attributes, kSamples},     {"open", open_and_close, kSamples},
    {"read4k", small_read, kSamples},       {"sync4k", small_synced_write, kSamples}};

static uint64_t time_one(const struct operation* o, const struct target* t, unsigned i) {
  uint64_t started = now_ns();
  if (!o->run(t, i)) failed(t->share, o->name);
  return now_ns() - started;
}

// Adds mean, median and 99th percentile of what is in a target's samples to its line.
static void summarize(struct target* t, const struct operation* o) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < o->samples; i++) sum += t->samples[i];
  qsort(t->samples, o->samples, sizeof *t->samples, by_size);
  t->length +=
      snprintf(t->line + t->length, sizeof t->line - (size_t)t->length,
               " %s_mean=%llu %s_p50=%llu %s_p99=%llu", o->name, (ull)(sum / o->samples), o->name,
               (ull)t->samples[o->samples / 2], o->name, (ull)t->samples[o->samples * 99 / 100]);
}

// One request on each share, then the next: forth and back, so that none is always the first.
static void measure_operation(struct target* targets, int count, const struct operation* o) {
  for (unsigned i = 0; i < o->samples; i++) {
    for (int n = 0; n < count; n++) {
      struct target* t = &targets[i % 2 ? n : count - 1 - n];
      t->samples[i] = time_one(o, t, i);
    }
  }
  for (int n = 0; n < count; n++) summarize(&targets[n], o);
}

static void measure_round(struct target* targets, int count, uint64_t round) {
  for (int n = 0; n < count; n++) targets[n].length = 0;
  for (size_t i = 0; i < sizeof kOperations / sizeof *kOperations; i++)
    measure_operation(targets, count, &kOperations[i]);
  for (int n = 0; n < count; n++) {
    struct target* t = &targets[n];
    say("IO %s round=%llu%s\n", t->share->tag, (ull)round, t->line);
    t->share->records = round;
    t->share->last_ms = now_ms();
  }
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
  for (uint64_t round = 1;; round++) measure_round(targets, count, round);
}
