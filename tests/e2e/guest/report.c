// Reporting on the serial console.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "share.h"

static int serial = STDOUT_FILENO;

uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void open_console(void) {
  int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  if (fd >= 0) serial = fd;
}

void put(const char* text, size_t length) {
  if (write(serial, text, length) < 0) return;
}

void say(const char* format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (length > 0) put(line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

void enter(struct share* s, const char* op) { snprintf(s->op, sizeof s->op, "%s", op); }

static void report(struct share* s, const char* op, const char* why) {
  s->errors++;
  if (s->errors <= 20 || s->errors % 200 == 0)
    say("E tag=%s n=%llu op=%s %s\n", s->tag, (unsigned long long)s->records, op, why);
}

void failed(struct share* s, const char* op) { report(s, op, strerror(errno)); }

void mismatch(struct share* s, const char* op) {
  s->corrupt++;
  report(s, op, "DATA-MISMATCH");
}
