#include "keeper/sockets.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace vuf::keeper {
namespace {

constexpr int kBacklog = 8;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

std::string Problem(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + strerror(errno);
}

}  // namespace

Listener::~Listener() {
  if (!socket_.valid()) return;
  unlink(path_.c_str());
  unlink((path_ + ".lock").c_str());
}

std::string Listener::Open(const std::string& path, int type, mode_t mode) {
  path_ = path;
  const std::string lock = path + ".lock";
  lock_ = Fd(open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_.valid()) return Problem("cannot create", lock);
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) return "another vuf-keeper has " + path;
  struct stat about;
  if (lstat(path.c_str(), &about) == 0 && !S_ISSOCK(about.st_mode)) {
    return path + " exists and is no socket";
  }
  unlink(path.c_str());
  Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = AddressOf(path);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Problem("cannot bind", path);
  }
  if (chmod(path.c_str(), mode) != 0 || listen(socket.get(), kBacklog) != 0) {
    return Problem("cannot listen at", path);
  }
  socket_ = std::move(socket);
  return "";
}

Listener::Peer Listener::Accept() {
  Peer peer;
  peer.socket = Fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer.socket.valid()) return peer;
  ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(peer.socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
    peer.pid = credentials.pid;
    peer.uid = credentials.uid;
  }
  return peer;
}

Fd Connect(const std::string& path, int type, std::string& problem) {
  Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = AddressOf(path);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return socket;
  }
  problem = Problem("cannot connect to", path);
  return Fd();
}

// Nothing tells when a socket is listened on; its name comes before.
Fd ConnectWhenThere(const std::string& path, std::chrono::milliseconds limit,
                    std::string& problem) {
  constexpr int kPauseMs = 10;
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    Fd socket = Connect(path, SOCK_STREAM, problem);
    if (socket.valid() || std::chrono::steady_clock::now() >= end) return socket;
    poll(nullptr, 0, kPauseMs);
  }
}

}  // namespace vuf::keeper
