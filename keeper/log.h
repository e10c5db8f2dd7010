// Log lines on standard error: key=value, one line each.
#ifndef VUFD_KEEPER_LOG_H_
#define VUFD_KEEPER_LOG_H_

#include <string>

namespace vuf::keeper {

enum class Level { kError, kWarning, kInfo, kDebug };

// Lines above this level are left out. kInfo by default.
void SetLogLevel(Level level);
// `text` comes from peers too: control characters and quotes are escaped.
void Log(Level level, const std::string& text);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_LOG_H_
