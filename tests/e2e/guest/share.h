// What the parts of the guest program share: the state of one share, and reporting.
#ifndef VUFD_TESTS_E2E_GUEST_SHARE_H_
#define VUFD_TESTS_E2E_GUEST_SHARE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
  char tags[512];
  long period_us;
  long kick_ms;  // 0: no kicker
  bool nounlink;
  bool gate;
  bool walk;
  bool measure;
};

// State of one share. Lives in shared memory: a worker process writes, the heartbeat reads.
struct share {
  char tag[64];
  bool mounted;
  volatile uint64_t records;  // written and read back
  volatile uint64_t errors;
  volatile uint64_t corrupt;  // wrong data
  volatile uint64_t last_ms;  // when the last step ended
  volatile uint64_t max_gap_ms;
  volatile uint64_t unlinked_ok, dir_ok, create_ok, full_ok, mapped_ok;
  volatile uint64_t kicks, quirks;
  volatile uint64_t gate_tries, gate_opens;
  volatile uint64_t known;  // files that the walk has made known to the guest
  char op[24];
};

extern struct options opts;

uint64_t now_ms(void);

// The serial console, which QEMU writes to a file.
void open_console(void);
void put(const char* text, size_t length);
__attribute__((format(printf, 1, 2))) void say(const char* format, ...);

// Notes what a share is doing now; a heartbeat shows it, which tells where a request hangs.
void enter(struct share* s, const char* op);
void failed(struct share* s, const char* op);    // errno says why
void mismatch(struct share* s, const char* op);  // wrong data

// A file below `base` that stays mapped: opened once, then written through the mapping, synced and
// read back from the server. One of each per worker process.
void mapped_open(struct share* s, const char* base);
void mapped_write(struct share* s, uint64_t number);

// Looks up every file in the directories below the share's "tree": afterwards the guest knows it.
void walk_tree(struct share* s);

// Measures requests to the servers of all shares in turn, again and again, and prints the figures;
// returns only when it cannot begin.
void measure_forever(struct share* shares, int count);

// The worker process of a share; never returns.
void work_forever(struct share* s);

#endif  // VUFD_TESTS_E2E_GUEST_SHARE_H_
