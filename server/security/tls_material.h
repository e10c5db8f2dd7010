// A certificate, its key and the CAs to believe, checked before anybody uses them.
#ifndef VUFD_SERVER_SECURITY_TLS_MATERIAL_H_
#define VUFD_SERVER_SECURITY_TLS_MATERIAL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vuf {

struct TlsMaterial {
  // PEM: the agent's certificate, then the intermediate ones.
  std::string certificate_chain;
  // PEM, not encrypted.
  std::string private_key;
  // PEM: whose certificates are believed.
  std::string ca;
  // Filled by CheckTlsMaterial: when the first of the chain's certificates ends.
  absl::Time not_after = absl::InfinitePast();
};

// Everything parses to its end, nothing of the chain is expired or not valid yet at `now`, the key
// is the certificate's. FAILED_PRECONDITION names the field, as the configuration calls it, and
// says what is wrong. The private key never appears in a message.
absl::StatusOr<TlsMaterial> CheckTlsMaterial(TlsMaterial material, absl::Time now);

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_TLS_MATERIAL_H_
