#include "server/security/unix_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace vuf {
namespace {

constexpr int kBacklog = 128;
// After an error of accept, which is most likely a want of descriptors.
constexpr int kRetryMilliseconds = 100;
constexpr size_t kMaxGroups = 1024;

absl::Status Refuse(const std::string& path, const char* doing, int error) {
  return absl::FailedPreconditionError(
      absl::StrCat("listen_socket \"", path, "\": cannot ", doing, ": ", strerror(error)));
}

// The process at the other end when it connected; nobody when the kernel does not say.
Identity PeerOf(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  std::vector<gid_t> groups(kMaxGroups);
  size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) size = 0;
  groups.resize(size / sizeof(gid_t));
  groups.push_back(peer.gid);
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return UnixIdentity(peer.uid, groups);
}

int BindAndListen(int fd, const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  // chmod afterwards would leave a moment in which anybody may connect.
  const mode_t mask = umask(0117);
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  const int error = errno;
  umask(mask);
  if (!bound) return error;
  return listen(fd, kBacklog) == 0 ? 0 : errno;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Listen(const std::string& path,
                                                                   const Gate* gate,
                                                                   grpc::ServerBuilder& builder) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Refuse(path, "make a socket", errno);
  if (const int error = BindAndListen(fd, path); error != 0) {
    close(fd);
    return Refuse(path, "listen", error);
  }
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const int error = errno;
    close(fd);
    return Refuse(path, "make an eventfd", error);
  }
  return std::unique_ptr<UnixListener>(new UnixListener(path, fd, stop, gate, builder));
}

UnixListener::UnixListener(std::string path, int listening, int stop, const Gate* gate,
                           grpc::ServerBuilder& builder)
    : path_(std::move(path)), listening_(listening), stop_(stop) {
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  for (size_t i = 0; i < kMaxIdentities; ++i) {
    auto identity = std::make_shared<DoorIdentity>();
    auto acceptor = builder.experimental().AddExternalConnectionAcceptor(Type::FROM_FD,
                                                                         UnixDoor(identity, gate));
    slots_.push_back({std::move(identity), std::move(acceptor)});
  }
}

UnixListener::~UnixListener() {
  Stop();
  close(stop_);
}

void UnixListener::Start() {
  thread_ = std::thread([this] { Run(); });
}

void UnixListener::Stop() {
  if (listening_ < 0) return;
  const uint64_t one = 1;
  // A counter at 0 takes it at once.
  if (write(stop_, &one, sizeof(one)) < 0) errno = 0;
  if (thread_.joinable()) thread_.join();
  unlink(path_.c_str());
  close(listening_);
  listening_ = -1;
}

void UnixListener::Run() {
  while (true) {
    pollfd events[] = {{stop_, POLLIN, 0}, {listening_, POLLIN, 0}};
    if (poll(events, 2, -1) < 0 && errno != EINTR) {
      Log(LogLevel::kError, "unix socket cannot be waited for", {{"error", strerror(errno)}});
      return;
    }
    if (events[0].revents != 0) return;
    if (events[1].revents != 0) Accept();
  }
}

void UnixListener::Accept() {
  const int fd = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
    Log(LogLevel::kError, "connection not accepted", {{"error", strerror(errno)}});
    pollfd stop = {stop_, POLLIN, 0};
    poll(&stop, 1, kRetryMilliseconds);
    return;
  }
  const Identity peer = PeerOf(fd);
  Slot* const slot = SlotOf(peer);
  if (slot == nullptr) {
    Log(LogLevel::kWarning, "connection closed: too many different users have connected",
        {{"identity", peer.name()}});
    close(fd);
    return;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = fd;
  slot->acceptor->HandleNewConnection(&connection);
}

UnixListener::Slot* UnixListener::SlotOf(const Identity& identity) {
  const auto [it, is_new] = taken_.emplace(identity.names, taken_.size());
  if (!is_new) return &slots_[it->second];
  if (it->second >= slots_.size()) {
    taken_.erase(it);
    return nullptr;
  }
  slots_[it->second].identity->Set(identity);
  return &slots_[it->second];
}

}  // namespace vuf
