// Digests by which a record of a decision is recognised.
#ifndef VUFD_SERVER_DECISIONS_DIGEST_H_
#define VUFD_SERVER_DECISIONS_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"

namespace vuf {

// SHA-256 as 64 hexadecimal digits.
std::string Sha256(absl::string_view bytes);
// Over code, severity and modes of every rule of this program.
const std::string& RulesDigest();

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_DIGEST_H_
