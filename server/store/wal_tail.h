// What an agent that ended in the middle of a write left in SQLite's write-ahead log.
#ifndef VUFD_SERVER_STORE_WAL_TAIL_H_
#define VUFD_SERVER_STORE_WAL_TAIL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vuf {

struct WalTail {
  // Pages that belong to whole transactions, which SQLite takes over.
  uint64_t whole_frames = 0;
  // Bytes after them that were written since the log was last begun anew, and that SQLite leaves
  // out: a transaction without its end, or one that is torn. None of it was acknowledged.
  uint64_t torn_bytes = 0;
};

// Reads the log (format: sqlite.org/fileformat2.html, "The Write-Ahead Log") before SQLite does,
// which repairs it without a word. A file that is not there or is empty has no tail. An error only
// when it cannot be read; what it says is not judged here.
absl::StatusOr<WalTail> ReadWalTail(const std::string& path);

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_WAL_TAIL_H_
