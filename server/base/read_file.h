// Reads a file that ought to be small: a configuration, a certificate.
#ifndef VUFD_SERVER_BASE_READ_FILE_H_
#define VUFD_SERVER_BASE_READ_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vuf {

// The first `max_bytes` of the file. Never waits for a writer: what is no regular file is
// FAILED_PRECONDITION, as is one that cannot be read; NOT_FOUND when there is none. Errors begin
// with `what` and the path.
absl::StatusOr<std::string> ReadFile(absl::string_view what, const std::string& path,
                                     size_t max_bytes);

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_READ_FILE_H_
