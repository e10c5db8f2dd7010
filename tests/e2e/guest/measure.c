// How fast the server answers: latency of single requests and throughput of large ones.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "share.h"

enum { kSmall = 4096, kLarge = 128 * 1024, kFile = 8 * 1024 * 1024, kSamples = 512 };

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int by_size(const void* left, const void* right) {
  uint64_t a = *(const uint64_t*)left, b = *(const uint64_t*)right;
  return a < b ? -1 : a > b;
}

// Writes (or reads) the whole file with direct I/O; returns MB/s, 0 after an error.
static uint64_t stream(struct share* s, int fd, char* buffer, bool writing) {
  uint64_t started = now_us();
  for (off_t at = 0; at < kFile; at += kLarge) {
    ssize_t done = writing ? pwrite(fd, buffer, kLarge, at) : pread(fd, buffer, kLarge, at);
    if (done != kLarge) return failed(s, writing ? "measure-write" : "measure-read"), 0;
  }
  uint64_t took = now_us() - started;
  return kFile / (took ? took : 1);
}

// One round of single reads; leaves their sorted times in `samples`.
static bool single_reads(struct share* s, int fd, char* buffer, uint64_t* samples) {
  for (int i = 0; i < kSamples; i++) {
    uint64_t started = now_us();
    off_t at = (off_t)((unsigned)i * 2654435761u % (kFile / kSmall)) * kSmall;
    if (pread(fd, buffer, kSmall, at) != kSmall) return failed(s, "measure-single"), false;
    samples[i] = now_us() - started;
  }
  qsort(samples, kSamples, sizeof *samples, by_size);
  return true;
}

void measure_forever(struct share* s) {
  static uint64_t samples[kSamples];
  char path[128];
  void* buffer = NULL;
  snprintf(path, sizeof path, "/mnt/%s/measure.bin", s->tag);
  int fd = open(path, O_CREAT | O_RDWR | O_DIRECT, 0600);
  if (fd < 0 || posix_memalign(&buffer, kSmall, kLarge) != 0) failed(s, "measure-open");
  memset(buffer, 'm', kLarge);
  for (uint64_t round = 1;; round++) {
    uint64_t write_rate = stream(s, fd, buffer, true);
    uint64_t read_rate = stream(s, fd, buffer, false);
    if (!single_reads(s, fd, buffer, samples)) usleep(100 * 1000);
    say("IO %s round=%llu write_mb_s=%llu read_mb_s=%llu p50_us=%llu p99_us=%llu\n", s->tag,
        (unsigned long long)round, (unsigned long long)write_rate, (unsigned long long)read_rate,
        (unsigned long long)samples[kSamples / 2],
        (unsigned long long)samples[kSamples * 99 / 100]);
    s->records = round;
    s->last_ms = now_ms();
  }
}
