// The program of the test guest: mounts virtiofs shares and works on them for ever, checking every
// byte it gets back. It reports on the serial console:
//   GUEST-UP ...     the program runs
//   MOUNTED TAG      a share is mounted
//   HB K t=MS | TAG n=.. err=.. bad=.. age=..ms ... op=..    heartbeat, every 200 ms
//   E ...            something failed or data was wrong
//   Q ...            a directory listing came back empty once (known behaviour of ext4 on the host)
// Kernel command line: vfs.tags=A,B  vfs.period_us=N  vfs.nounlink  vfs.kick_ms=N
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  kRecord = 64,        // bytes of a record in counter.log
  kBlock = 4096,       // unit of direct reads
  kMaxShares = 8,
  kDirFiles = 64,      // files in the directory that is listed again and again
  kHeartbeatMs = 200,
};

struct options {
  char tags[512];
  long period_us;
  long kick_ms;  // 0: no kicker
  bool nounlink;
};

// State of one share. Lives in shared memory: a worker process writes, the heartbeat reads.
struct share {
  char tag[64];
  bool mounted;
  volatile uint64_t records;   // written and read back
  volatile uint64_t errors;
  volatile uint64_t corrupt;   // wrong data
  volatile uint64_t last_ms;   // when the last step ended
  volatile uint64_t max_gap_ms;
  volatile uint64_t unlinked_ok, dir_ok, create_ok, full_ok;
  volatile uint64_t kicks, quirks;
  char op[24];
};

// What a worker holds open over its whole life; this is what a migration has to carry.
struct work {
  struct share *share;
  char base[96];
  int log, log_direct, unlinked, dir;
  uint32_t chain;
  int dir_seen;
  char *block;          // aligned, for direct reads
  char pattern[kBlock]; // content of the unlinked file
};

static struct options opts;
static struct share *shares;
static int share_count;
static int serial = 1;

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void put(const char *text, size_t length) {
  if (write(serial, text, length) < 0) return;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (length > 0) put(line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

// The zlib CRC, so that the host can check the file with its standard library.
static uint32_t crc32(uint32_t crc, const void *data, size_t length) {
  const uint8_t *bytes = data;
  crc = ~crc;
  while (length--) {
    crc ^= *bytes++;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
  }
  return ~crc;
}

// Record `number`: its number, the CRC of all records before it, the CRC of those two, padding.
static void make_record(char *record, uint64_t number, uint32_t chain) {
  char text[128];
  int length = snprintf(text, sizeof text, "%016llu %08x ", (unsigned long long)number, chain);
  uint32_t own = crc32(0, text, (size_t)length);
  snprintf(text + length, sizeof text - (size_t)length, "%08x %028d\n", own, 0);
  memcpy(record, text, kRecord);
}

static void enter(struct share *s, const char *op) { snprintf(s->op, sizeof s->op, "%s", op); }

static void report(struct share *s, const char *op, const char *why) {
  s->errors++;
  if (s->errors <= 20 || s->errors % 200 == 0)
    say("E tag=%s n=%llu op=%s %s\n", s->tag, (unsigned long long)s->records, op, why);
}

static void failed(struct share *s, const char *op) { report(s, op, strerror(errno)); }

static void mismatch(struct share *s, const char *op) {
  s->corrupt++;
  report(s, op, "DATA-MISMATCH");
}

static void path_in(const struct work *w, const char *name, char *out, size_t size) {
  snprintf(out, size, "%s/%s", w->base, name);
}

static void open_log(struct work *w) {
  char path[256];
  path_in(w, "counter.log", path, sizeof path);
  w->log = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);
  if (w->log < 0) failed(w->share, "open-log");
  // Direct reads always reach the server, never the guest's page cache.
  w->log_direct = open(path, O_RDONLY | O_DIRECT);
  if (w->log_direct < 0) failed(w->share, "open-direct");
}

static void open_unlinked(struct work *w) {
  char path[256];
  path_in(w, "unlinked.bin", path, sizeof path);
  for (int i = 0; i < kBlock; i++) w->pattern[i] = (char)((i * 37) ^ (i >> 8));
  w->unlinked = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (w->unlinked < 0 || pwrite(w->unlinked, w->pattern, kBlock, 0) != kBlock) failed(w->share, "create-unlinked");
  if (!opts.nounlink && unlink(path) != 0) failed(w->share, "unlink-open");
}

static void open_dir(struct work *w) {
  char dir[128], path[256];
  path_in(w, "d", dir, sizeof dir);
  mkdir(dir, 0755);
  for (int i = 0; i < kDirFiles; i++) {
    snprintf(path, sizeof path, "%s/f%03d", dir, i);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    if (fd < 0) failed(w->share, "fill-dir");
    else close(fd);
  }
  w->dir = open(dir, O_RDONLY | O_DIRECTORY);
  if (w->dir < 0) failed(w->share, "open-dir");
}

// Returns whether record `number` is on the server, as read back from it.
static bool append_record(struct work *w, uint64_t number) {
  struct share *s = w->share;
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

static void use_unlinked(struct work *w, uint64_t number) {
  struct share *s = w->share;
  char back[kBlock];
  enter(s, "unlinked-rw");
  memcpy(w->pattern + 8, &number, sizeof number);
  if (pwrite(w->unlinked, &number, sizeof number, 8) != sizeof number) return failed(s, "unlinked-pwrite");
  posix_fadvise(w->unlinked, 0, 0, POSIX_FADV_DONTNEED);
  if (pread(w->unlinked, back, kBlock, 0) != kBlock) return failed(s, "unlinked-pread");
  if (memcmp(back, w->pattern, kBlock) != 0) return mismatch(s, "unlinked-pread");
  s->unlinked_ok++;
}

static void end_of_listing(struct work *w) {
  struct share *s = w->share;
  if (w->dir_seen == kDirFiles) {
    s->dir_ok++;
  } else if (w->dir_seen == 0 && s->quirks == 0) {
    s->quirks++;
    say("Q tag=%s empty listing\n", s->tag);
  } else {
    mismatch(s, "getdents-count");
  }
  w->dir_seen = 0;
  lseek(w->dir, 0, SEEK_SET);
}

// One raw getdents64 per call (readdir() would hide errors); the small buffer spreads a listing over
// several requests, so that a migration finds the handle in the middle of one.
static void list_some(struct work *w) {
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
    const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
    if (entry->d_name[0] == 'f') w->dir_seen++;
    at += entry->d_reclen;
  }
}

static void create_rename_unlink(struct work *w) {
  struct share *s = w->share;
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

static void verify_all(struct work *w, uint64_t count) {
  struct share *s = w->share;
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

static void start_work(struct work *w, struct share *s) {
  memset(w, 0, sizeof *w);
  w->share = s;
  snprintf(w->base, sizeof w->base, "/mnt/%s/work", s->tag);
  mkdir(w->base, 0755);
  void *aligned = NULL;
  if (posix_memalign(&aligned, kBlock, kBlock) != 0) return failed(s, "memory");
  w->block = aligned;
  open_log(w);
  open_unlinked(w);
  open_dir(w);
  s->last_ms = now_ms();
}

static void end_step(struct share *s, bool ok) {
  uint64_t t = now_ms();
  if (t - s->last_ms > s->max_gap_ms) s->max_gap_ms = t - s->last_ms;
  s->last_ms = t;
  enter(s, "sleep");
  usleep((useconds_t)(ok ? opts.period_us : opts.period_us * 10));
}

static void worker(struct share *s) {
  static struct work w;
  start_work(&w, s);
  for (uint64_t number = 1;;) {
    // A record that failed is written again: a lost write would show as a gap on the host.
    bool ok = append_record(&w, number);
    if (number % 8 == 0) {
      use_unlinked(&w, number);
      list_some(&w);
    }
    if (number % 32 == 0) create_rename_unlink(&w);
    if (ok && number % 256 == 0) verify_all(&w, number);
    end_step(s, ok);
    if (ok) number++;
  }
}

// Sends a request at a steady rate from another process: a back-end that lost a kick wakes up again.
static void kicker(struct share *s) {
  char path[160];
  struct stat unused;
  snprintf(path, sizeof path, "/mnt/%s/nonexistent-kick", s->tag);
  for (;;) {
    usleep((useconds_t)opts.kick_ms * 1000);
    stat(path, &unused);
    s->kicks++;
  }
}

static void start_share(struct share *s) {
  char where[96];
  snprintf(where, sizeof where, "/mnt/%s", s->tag);
  mkdir(where, 0755);
  if (mount(s->tag, where, "virtiofs", 0, NULL) != 0) {
    say("E tag=%s n=0 op=mount %s\n", s->tag, strerror(errno));
    return;
  }
  s->mounted = true;
  say("MOUNTED %s\n", s->tag);
  if (fork() == 0) worker(s);
  if (opts.kick_ms > 0 && fork() == 0) kicker(s);
}

static const char *option_text(const char *cmdline, const char *name) {
  const char *found = strstr(cmdline, name);
  return found ? found + strlen(name) : NULL;
}

static void read_options(void) {
  char line[4096] = {0};
  int fd = open("/proc/cmdline", O_RDONLY);
  if (fd >= 0) {
    if (read(fd, line, sizeof line - 1) < 0) line[0] = 0;
    close(fd);
  }
  const char *text = option_text(line, "vfs.tags=");
  if (text) snprintf(opts.tags, sizeof opts.tags, "%.*s", (int)strcspn(text, " \n"), text);
  text = option_text(line, "vfs.period_us=");
  opts.period_us = text ? atol(text) : 5000;
  text = option_text(line, "vfs.kick_ms=");
  opts.kick_ms = text ? atol(text) : 0;
  opts.nounlink = strstr(line, "vfs.nounlink") != NULL;
}

static void set_up(void) {
  static const char *const dirs[] = {"/dev", "/proc", "/mnt"};
  for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) mkdir(dirs[i], 0755);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  mount("proc", "/proc", "proc", 0, NULL);
  int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  if (fd >= 0) serial = fd;
  read_options();
  shares = mmap(NULL, sizeof *shares * kMaxShares, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (char *tag = strtok(opts.tags, ","); tag && share_count < kMaxShares; tag = strtok(NULL, ","))
    snprintf(shares[share_count++].tag, sizeof shares[0].tag, "%s", tag);
}

typedef unsigned long long ull;

static int print_share(char *out, size_t size, const struct share *s, uint64_t now) {
  if (!s->mounted) return snprintf(out, size, " | %s UNMOUNTED", s->tag);
  uint64_t age = now > s->last_ms ? now - s->last_ms : 0;
  return snprintf(out, size,
                  " | %s n=%llu err=%llu bad=%llu age=%llums gap=%llums ul=%llu dir=%llu new=%llu full=%llu"
                  " quirk=%llu kicks=%llu op=%s",
                  s->tag, (ull)s->records, (ull)s->errors, (ull)s->corrupt, (ull)age, (ull)s->max_gap_ms,
                  (ull)s->unlinked_ok, (ull)s->dir_ok, (ull)s->create_ok, (ull)s->full_ok, (ull)s->quirks,
                  (ull)s->kicks, s->op);
}

static void heartbeat(uint64_t beat) {
  char line[kMaxShares * 256 + 64];
  uint64_t now = now_ms();
  size_t length = (size_t)snprintf(line, sizeof line, "HB %llu t=%llu", (ull)beat, (ull)now);
  for (int i = 0; i < share_count; i++)
    length += (size_t)print_share(line + length, sizeof line - length, &shares[i], now);
  line[length++] = '\n';
  put(line, length);
}

int main(void) {
  set_up();
  say("GUEST-UP uptime_ms=%llu shares=%d\n", (ull)now_ms(), share_count);
  for (int i = 0; i < share_count; i++) start_share(&shares[i]);
  for (uint64_t beat = 0;; beat++) {
    heartbeat(beat);
    usleep(kHeartbeatMs * 1000);
  }
}
