#include "keeper/log.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace vuf::keeper {
namespace {

Level highest = Level::kInfo;

constexpr const char* kNames[] = {"error", "warning", "info", "debug"};

}  // namespace

void SetLogLevel(Level level) { highest = level; }

void Log(Level level, const std::string& text) {
  if (level > highest) return;
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char stamp[64];
  const size_t length = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(stamp + length, sizeof stamp - length, ".%06ldZ", now.tv_nsec / 1000);
  std::string line =
      std::string("time=") + stamp + " level=" + kNames[static_cast<size_t>(level)] + " msg=\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') line += '\\';
    line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
  }
  line += "\"\n";
  // Nowhere to complain to when this fails.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace vuf::keeper
