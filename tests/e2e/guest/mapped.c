// A file that stays mapped over its whole life: what the guest stores in it reaches the server
// through page faults and write-back instead of write().
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "share.h"

enum { kPage = 4096, kPages = 16 };

static char* mapping;
static int direct = -1;  // reads what the server has, never the guest's page cache
static char* page_back;  // aligned, for direct reads

void mapped_open(struct share* s, const char* base) {
  char path[256];
  void *mapped, *aligned;
  snprintf(path, sizeof path, "%s/mapped.bin", base);
  int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (fd < 0 || ftruncate(fd, kPages * kPage) != 0) return failed(s, "create-mapped");
  direct = open(path, O_RDONLY | O_DIRECT);
  if (direct < 0) return failed(s, "open-mapped");
  mapped = mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return failed(s, "mmap");
  if (posix_memalign(&aligned, kPage, kPage) != 0) return failed(s, "memory");
  page_back = aligned;
  mapping = mapped;
}

// Fills one page with what only this step can have put there.
void mapped_write(struct share* s, uint64_t number) {
  if (!mapping) return;  // reported when it was opened
  off_t at = (off_t)(number / 8 % kPages) * kPage;
  uint64_t* page = (uint64_t*)(mapping + at);
  enter(s, "mapped-store");
  for (size_t i = 0; i < kPage / sizeof *page; i++) page[i] = number * 0x9E3779B97F4A7C15u + i;
  enter(s, "msync");
  if (msync(page, kPage, MS_SYNC) != 0) return failed(s, "msync");
  enter(s, "mapped-pread");
  if (pread(direct, page_back, kPage, at) != kPage) return failed(s, "mapped-pread");
  if (memcmp(page, page_back, kPage) != 0) return mismatch(s, "mapped-pread");
  s->mapped_ok++;
}
