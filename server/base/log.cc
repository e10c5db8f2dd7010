#include "server/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace vuf {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};
std::atomic<bool> as_json{false};

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// Quotes for both formats: a value from outside must not be able to forge a line.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Line(LogLevel level, absl::string_view event, LogFields fields) {
  const std::string now =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
  const bool json = as_json.load(std::memory_order_relaxed);
  const auto pair = [json](absl::string_view key, absl::string_view value) {
    return json ? absl::StrCat("\"", key, "\":", Quoted(value))
                : absl::StrCat(key, "=", Quoted(value));
  };
  const absl::string_view separator = json ? "," : " ";
  std::string line = absl::StrCat(pair("time", now), separator, pair("level", LevelName(level)),
                                  separator, pair("event", event));
  for (const auto& [key, value] : fields) absl::StrAppend(&line, separator, pair(key, value));
  return json ? absl::StrCat("{", line, "}\n") : absl::StrCat(line, "\n");
}

}  // namespace

void ConfigureLog(LogLevel lowest, bool json) {
  lowest_level = lowest;
  as_json = json;
}

void Log(LogLevel level, absl::string_view event, LogFields fields) {
  if (level < lowest_level.load(std::memory_order_relaxed)) return;
  const std::string line = Line(level, event, fields);
  // One write per line: lines of several threads do not mix. A log that cannot be written is no
  // reason to stop.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace vuf
