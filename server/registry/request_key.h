// Idempotency: the same request id with the same arguments gives the same answer.
#ifndef VUFD_SERVER_REGISTRY_REQUEST_KEY_H_
#define VUFD_SERVER_REGISTRY_REQUEST_KEY_H_

#include <string>

#include "google/protobuf/message.h"

namespace vuf {

struct RequestKey {
  // e.g. "VmService.RegisterVm".
  std::string method;
  // Empty: the caller wants no idempotency, and nothing is remembered.
  std::string request_id;
  // Digest of the request's arguments without the request id.
  std::string arguments_digest;
};

// The key of `request`, which has a field `request_id`; the digest covers all other fields.
RequestKey MakeRequestKey(const std::string& method, const google::protobuf::Message& request);

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_REQUEST_KEY_H_
