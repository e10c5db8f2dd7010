// Structured log: one line per event on standard error, key=value or JSON.
#ifndef VUFD_SERVER_BASE_LOG_H_
#define VUFD_SERVER_BASE_LOG_H_

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace vuf {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
using LogFields = std::initializer_list<std::pair<absl::string_view, std::string>>;

// Before any thread logs.
void ConfigureLog(LogLevel lowest, bool json);
// `event` is a short constant in words ("migration committed"); the values go in `fields`.
void Log(LogLevel level, absl::string_view event, LogFields fields = {});

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_LOG_H_
