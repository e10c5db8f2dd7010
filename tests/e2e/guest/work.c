// What the guest does on a share, and how it checks it.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "share.h"

enum {
  kRecord = 64,    // bytes of a record in counter.log
  kBlock = 4096,   // unit of direct reads
  kDirFiles = 64,  // files in the directory that is listed again and again
};

// What a worker holds open over its whole life; this is what a migration has to carry.
struct work {
  struct share* share;
  char base[96];
  int log, log_direct, unlinked, dir;
  uint32_t chain;
  int dir_seen;
  bool was_quirk;        // the last listing
  char* block;           // aligned, for direct reads
  char pattern[kBlock];  // content of the unlinked file
};

// The zlib CRC, so that the host can check the file with its standard library.
static uint32_t crc32(uint32_t crc, const void* data, size_t length) {
  const uint8_t* bytes = data;
  crc = ~crc;
  while (length--) {
    crc ^= *bytes++;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
  }
  return ~crc;
}

// Record `number`: its number, the CRC of all records before it, the CRC of those two, padding.
static void make_record(char* record, uint64_t number, uint32_t chain) {
  char text[128];
  int length = snprintf(text, sizeof text, "%016llu %08x ", (unsigned long long)number, chain);
  uint32_t own = crc32(0, text, (size_t)length);
  snprintf(text + length, sizeof text - (size_t)length, "%08x %028d\n", own, 0);
  memcpy(record, text, kRecord);
}

static void path_in(const struct work* w, const char* name, char* out, size_t size) {
  snprintf(out, size, "%s/%s", w->base, name);
}

static void open_log(struct work* w) {
  char path[256];
  path_in(w, "counter.log", path, sizeof path);
  w->log = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);
  if (w->log < 0) failed(w->share, "open-log");
  // Direct reads always reach the server, never the guest's page cache.
  w->log_direct = open(path, O_RDONLY | O_DIRECT);
  if (w->log_direct < 0) failed(w->share, "open-direct");
}

static void open_unlinked(struct work* w) {
  char path[256];
  path_in(w, "unlinked.bin", path, sizeof path);
  for (int i = 0; i < kBlock; i++) w->pattern[i] = (char)((i * 37) ^ (i >> 8));
  w->unlinked = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (w->unlinked < 0 || pwrite(w->unlinked, w->pattern, kBlock, 0) != kBlock)
    failed(w->share, "create-unlinked");
  if (!opts.nounlink && unlink(path) != 0) failed(w->share, "unlink-open");
}

static void open_dir(struct work* w) {
  char dir[128], path[256];
  path_in(w, "d", dir, sizeof dir);
  mkdir(dir, 0755);
  for (int i = 0; i < kDirFiles; i++) {
    snprintf(path, sizeof path, "%s/f%03d", dir, i);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    if (fd < 0)
      failed(w->share, "fill-dir");
    else
      close(fd);
  }
  w->dir = open(dir, O_RDONLY | O_DIRECTORY);
  if (w->dir < 0) failed(w->share, "open-dir");
}

// Returns whether record `number` is on the server, as read back from it.
static bool append_record(struct work* w, uint64_t number) {
  struct share* s = w->share;
  char record[kRecord];
  off_t at = (off_t)(number - 1) * kRecord;
  off_t block = at & ~(off_t)(kBlock - 1);
  make_record(record, number, w->chain);
  enter(s, "pwrite");
  if (pwrite(w->log, record, kRecord, at) != kRecord) return failed(s, "pwrite"), false;
  enter(s, "fsync");
  if (number % 16 == 0 && fsync(w->log) != 0) return failed(s, "fsync"), false;
  enter(s, "pread-direct");
  ssize_t got = pread(w->log_direct, w->block, kBlock, block);
  if (got < 0) return failed(s, "pread-direct"), false;
  if (got < at - block + kRecord || memcmp(w->block + (at - block), record, kRecord) != 0)
    return mismatch(s, "pread-direct"), false;
  w->chain = crc32(w->chain, record, kRecord);
  s->records = number;
  return true;
}

static void use_unlinked(struct work* w, uint64_t number) {
  struct share* s = w->share;
  char back[kBlock];
  enter(s, "unlinked-rw");
  memcpy(w->pattern + 8, &number, sizeof number);
  if (pwrite(w->unlinked, &number, sizeof number, 8) != sizeof number)
    return failed(s, "unlinked-pwrite");
  posix_fadvise(w->unlinked, 0, 0, POSIX_FADV_DONTNEED);
  if (pread(w->unlinked, back, kBlock, 0) != kBlock) return failed(s, "unlinked-pread");
  if (memcmp(back, w->pattern, kBlock) != 0) return mismatch(s, "unlinked-pread");
  s->unlinked_ok++;
}

// A directory on ext4 that was opened anew, as a back-end with migrated state does it, and is first
// read at its end gives one empty listing. Twice in a row is not that.
static void end_of_listing(struct work* w) {
  struct share* s = w->share;
  bool is_quirk = w->dir_seen == 0 && !w->was_quirk;
  if (w->dir_seen == kDirFiles) {
    s->dir_ok++;
  } else if (is_quirk) {
    s->quirks++;
    say("Q tag=%s empty listing\n", s->tag);
  } else {
    say("E tag=%s listing of %d instead of %d\n", s->tag, w->dir_seen, kDirFiles);
    mismatch(s, "getdents-count");
  }
  w->was_quirk = is_quirk;
  w->dir_seen = 0;
  lseek(w->dir, 0, SEEK_SET);
}

// One raw getdents64 per call (readdir() would hide errors); the small buffer spreads a listing
// over several requests, so that a migration finds the handle in the middle of one.
static void list_some(struct work* w) {
  char buffer[1024];
  enter(w->share, "getdents");
  long got = syscall(SYS_getdents64, w->dir, buffer, sizeof buffer);
  if (got < 0) {
    failed(w->share, "getdents");
    w->dir_seen = 0;
    lseek(w->dir, 0, SEEK_SET);
    return;
  }
  if (got == 0) return end_of_listing(w);
  for (long at = 0; at < got;) {
    const struct dirent64* entry = (const struct dirent64*)(buffer + at);
    if (entry->d_name[0] == 'f') w->dir_seen++;
    at += entry->d_reclen;
  }
}

static void create_rename_unlink(struct work* w) {
  struct share* s = w->share;
  char first[256], second[256];
  path_in(w, "tmp.a", first, sizeof first);
  path_in(w, "tmp.b", second, sizeof second);
  enter(s, "create");
  int fd = open(first, O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0) return failed(s, "create");
  close(fd);
  enter(s, "rename");
  if (rename(first, second) != 0) return failed(s, "rename");
  enter(s, "unlink");
  if (unlink(second) != 0) return failed(s, "unlink");
  s->create_ok++;
}

static void verify_all(struct work* w, uint64_t count) {
  struct share* s = w->share;
  uint32_t chain = 0;
  uint64_t number = 0;
  char expected[kRecord];
  enter(s, "verify-all");
  while (number < count) {
    ssize_t got = pread(w->log_direct, w->block, kBlock, (off_t)number * kRecord);
    s->last_ms = now_ms();
    if (got < kRecord) return failed(s, "verify-read");
    for (ssize_t at = 0; at + kRecord <= got && number < count; at += kRecord) {
      make_record(expected, ++number, chain);
      if (memcmp(expected, w->block + at, kRecord) != 0) return mismatch(s, "verify-all");
      chain = crc32(chain, expected, kRecord);
    }
  }
  s->full_ok++;
}

static void start_work(struct work* w, struct share* s) {
  memset(w, 0, sizeof *w);
  w->share = s;
  snprintf(w->base, sizeof w->base, "/mnt/%s/work", s->tag);
  mkdir(w->base, 0755);
  void* aligned = NULL;
  if (posix_memalign(&aligned, kBlock, kBlock) != 0) return failed(s, "memory");
  w->block = aligned;
  open_log(w);
  open_unlinked(w);
  open_dir(w);
  mapped_open(s, w->base);
  s->last_ms = now_ms();
}

static void end_step(struct share* s, bool ok) {
  uint64_t t = now_ms();
  if (t - s->last_ms > s->max_gap_ms) s->max_gap_ms = t - s->last_ms;
  s->last_ms = t;
  enter(s, "sleep");
  usleep((useconds_t)(ok ? opts.period_us : opts.period_us * 10));
}

// Often while the file is short; reading a long one all the time would leave no time for the rest.
static bool is_time_to_verify(uint64_t number) {
  return number % 4096 == 0 || (number < 4096 && number % 256 == 0);
}

void work_forever(struct share* s) {
  static struct work w;
  start_work(&w, s);
  for (uint64_t number = 1;;) {
    // A record that failed is written again: a lost write would show as a gap on the host.
    bool ok = append_record(&w, number);
    if (number % 8 == 0) {
      use_unlinked(&w, number);
      list_some(&w);
    }
    if (number % 8 == 4) mapped_write(s, number);
    if (number % 32 == 0) create_rename_unlink(&w);
    if (ok && is_time_to_verify(number)) verify_all(&w, number);
    end_step(s, ok);
    if (ok) number++;
  }
}
