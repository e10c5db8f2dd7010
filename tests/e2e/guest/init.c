// The program of the test guest: mounts virtiofs shares and works on them for ever, checking every
// byte it gets back. It reports on the serial console:
//   GUEST-UP ...     the program runs
//   MOUNTED TAG      a share is mounted
//   HB K t=MS | TAG n=.. err=.. bad=.. age=..ms ... op=..    heartbeat, every 200 ms
//   E ...            something failed or data was wrong
//   Q ...            a directory listing came back empty, as once after a stateful migration (the
//                    host's ext4); how often that may be, the test knows
// Kernel command line: vfs.tags=A,B  vfs.period_us=N  vfs.nounlink  vfs.kick_ms=N  vfs.gate
//   vfs.walk  vfs.measure (reports "IO TAG ..." of all shares in turn instead of working)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share.h"

enum { kMaxShares = 8, kHeartbeatMs = 200 };

struct options opts;
static struct share* shares;
static int share_count;

// Sends a request at a steady rate from another process: a back-end that lost a kick wakes up
// again.
static void kicker(struct share* s) {
  char path[160];
  struct stat unused;
  snprintf(path, sizeof path, "/mnt/%s/nonexistent-kick", s->tag);
  for (;;) {
    usleep((useconds_t)opts.kick_ms * 1000);
    stat(path, &unused);
    s->kicks++;
  }
}

// Opens the file "gate" of the share for writing, again and again, from another process. Nothing
// happens while the host has no such file; while it holds a lease on it, the request stays under
// way in the back-end.
static void gate_keeper(struct share* s) {
  char path[160];
  snprintf(path, sizeof path, "/mnt/%s/gate", s->tag);
  for (;; usleep(20 * 1000)) {
    if (access(path, F_OK) != 0) continue;
    s->gate_tries++;
    int fd = open(path, O_RDWR);
    if (fd < 0) {
      if (errno != ENOENT) failed(s, "open-gate");
      continue;
    }
    close(fd);
    s->gate_opens++;
  }
}

static void serve_share(struct share* s) {
  if (opts.walk) walk_tree(s);
  work_forever(s);
}

static void start_share(struct share* s) {
  char where[96];
  snprintf(where, sizeof where, "/mnt/%s", s->tag);
  mkdir(where, 0755);
  if (mount(s->tag, where, "virtiofs", 0, NULL) != 0) {
    say("E tag=%s n=0 op=mount %s\n", s->tag, strerror(errno));
    return;
  }
  s->mounted = true;
  say("MOUNTED %s\n", s->tag);
  if (!opts.measure && fork() == 0) serve_share(s);
  if (opts.kick_ms > 0 && fork() == 0) kicker(s);
  if (opts.gate && fork() == 0) gate_keeper(s);
}

static const char* option_text(const char* cmdline, const char* name) {
  const char* found = strstr(cmdline, name);
  return found ? found + strlen(name) : NULL;
}

static void read_options(void) {
  char line[4096] = {0};
  int fd = open("/proc/cmdline", O_RDONLY);
  if (fd >= 0) {
    if (read(fd, line, sizeof line - 1) < 0) line[0] = 0;
    close(fd);
  }
  const char* text = option_text(line, "vfs.tags=");
  if (text) snprintf(opts.tags, sizeof opts.tags, "%.*s", (int)strcspn(text, " \n"), text);
  text = option_text(line, "vfs.period_us=");
  opts.period_us = text ? atol(text) : 5000;
  text = option_text(line, "vfs.kick_ms=");
  opts.kick_ms = text ? atol(text) : 0;
  opts.nounlink = strstr(line, "vfs.nounlink") != NULL;
  opts.walk = strstr(line, "vfs.walk") != NULL;
  opts.measure = strstr(line, "vfs.measure") != NULL;
  opts.gate = strstr(line, "vfs.gate") != NULL;
}

static void set_up(void) {
  static const char* const dirs[] = {"/dev", "/proc", "/mnt"};
  for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) mkdir(dirs[i], 0755);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  mount("proc", "/proc", "proc", 0, NULL);
  open_console();
  read_options();
  shares = mmap(NULL, sizeof *shares * kMaxShares, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (char* tag = strtok(opts.tags, ","); tag && share_count < kMaxShares; tag = strtok(NULL, ","))
    snprintf(shares[share_count++].tag, sizeof shares[0].tag, "%s", tag);
}

typedef unsigned long long ull;

static int print_share(char* out, size_t size, const struct share* s, uint64_t now) {
  if (!s->mounted) return snprintf(out, size, " | %s UNMOUNTED", s->tag);
  uint64_t age = now > s->last_ms ? now - s->last_ms : 0;
  return snprintf(
      out, size,
      " | %s n=%llu err=%llu bad=%llu age=%llums gap=%llums ul=%llu dir=%llu new=%llu full=%llu"
      " map=%llu quirk=%llu kicks=%llu gate=%llu/%llu known=%llu op=%s",
      s->tag, (ull)s->records, (ull)s->errors, (ull)s->corrupt, (ull)age, (ull)s->max_gap_ms,
      (ull)s->unlinked_ok, (ull)s->dir_ok, (ull)s->create_ok, (ull)s->full_ok, (ull)s->mapped_ok,
      (ull)s->quirks, (ull)s->kicks, (ull)s->gate_opens, (ull)s->gate_tries, (ull)s->known, s->op);
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
  if (opts.measure && fork() == 0) {
    measure_forever(shares, share_count);
    _exit(1);
  }
  for (uint64_t beat = 0;; beat++) {
    heartbeat(beat);
    usleep(kHeartbeatMs * 1000);
  }
}
