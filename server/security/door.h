// How connections come in: server credentials that tell every call whose it is and refuse what only
// gRPC itself would answer. The methods of vuf.v1 are admitted by Calls, which can say more.
#ifndef VUFD_SERVER_SECURITY_DOOR_H_
#define VUFD_SERVER_SECURITY_DOOR_H_

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "grpcpp/security/server_credentials.h"
#include "server/base/mutex.h"
#include "server/security/gate.h"
#include "server/security/identity.h"
#include "server/security/tls_store.h"

namespace vuf {

// The identity of all connections through one door. Nobody at first. Thread-safe.
class DoorIdentity {
 public:
  void Set(Identity identity) {
    MutexLock lock(&mu_);
    identity_ = std::move(identity);
  }
  Identity Get() const {
    MutexLock lock(&mu_);
    return identity_;
  }

 private:
  mutable Mutex mu_;
  Identity identity_ ABSL_GUARDED_BY(mu_);
};

// For connections of unix sockets, without TLS. `gate` must outlive the server.
std::shared_ptr<grpc::ServerCredentials> UnixDoor(std::shared_ptr<const DoorIdentity> identity,
                                                  const Gate* gate);

// TLS 1.2 or later; the client must show a certificate of one of the CAs. Each handshake is made
// with what `store` has then. `store` and `gate` must outlive the server.
std::shared_ptr<grpc::ServerCredentials> TlsDoor(const TlsStore* store, const Gate* gate);

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_DOOR_H_
