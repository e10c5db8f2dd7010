// The API's unix socket. Connections are accepted here, where the kernel tells whose they are, and
// handed to gRPC through a door for each identity: gRPC's own listener does not look.
#ifndef VUFD_SERVER_SECURITY_UNIX_LISTENER_H_
#define VUFD_SERVER_SECURITY_UNIX_LISTENER_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/server_builder.h"
#include "server/security/door.h"

namespace vuf {

class UnixListener {
 public:
  // Identities (user and groups) that may have come since the start; others' connections are
  // closed. A door is never given to somebody else: a late call must not be taken for another's.
  static constexpr size_t kMaxIdentities = 64;

  // Listens on `path`, mode 0660, where nothing may be; its doors become part of the server.
  // FAILED_PRECONDITION says what is in the way. `gate` must outlive the server.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Listen(const std::string& path,
                                                              const Gate* gate,
                                                              grpc::ServerBuilder& builder);
  // Stops.
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  // Once, when the server is built.
  void Start();
  // No new connections; removes the socket. Before the server is shut down.
  void Stop();

 private:
  struct Slot {
    std::shared_ptr<DoorIdentity> identity;
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  };
  UnixListener(std::string path, int listening, int stop, const Gate* gate,
               grpc::ServerBuilder& builder);
  void Run();
  void Accept();
  // nullptr: there are too many identities.
  Slot* SlotOf(const Identity& identity);

  const std::string path_;
  int listening_;
  const int stop_;
  std::vector<Slot> slots_;
  // Of the thread.
  std::map<std::vector<std::string>, size_t> taken_;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_UNIX_LISTENER_H_
