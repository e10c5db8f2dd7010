#include "keeper/sockets.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

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

// A longer name would be cut off and be somebody else's.
std::string TooLong(const std::string& path) {
  if (path.size() <= kMaxSocketPath) return "";
  return "the socket's name " + path + " has more than " + std::to_string(kMaxSocketPath) +
         " bytes";
}

// Does somebody listen under this name? A virtiofsd does not know of the keeper's locks, and must
// not be asked by connecting: its first client is its only one.
bool IsListenedOn(const std::string& path) {
  constexpr uint32_t kListens = 0x10000;  // __SO_ACCEPTCON
  std::ifstream table("/proc/net/unix");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, references, protocol, type, state, inode, name;
    uint32_t flags = 0;
    fields >> slot >> references >> protocol >> std::hex >> flags >> type >> state >> inode;
    if (std::getline(fields >> std::ws, name) && name == path && (flags & kListens) != 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Listener::~Listener() {
  if (!lock_.valid()) return;
  if (named_) unlink(path_.c_str());
  unlink((path_ + ".lock").c_str());
}

std::string Listener::Open(const std::string& path, int type, const SocketAccess& access) {
  path_ = path;
  std::string problem = TooLong(path);
  if (problem.empty()) problem = Lock();
  if (problem.empty()) problem = ClearName();
  if (problem.empty()) problem = Bind(type, access);
  return problem;
}

std::string Listener::Lock() {
  const std::string name = path_ + ".lock";
  Fd lock(open(name.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return Problem("cannot create", name);
  struct stat ours;
  struct stat named;
  // One that ends removes its file: what was locked then is no longer what others lock.
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0 || fstat(lock.get(), &ours) != 0 ||
      stat(name.c_str(), &named) != 0 || ours.st_ino != named.st_ino) {
    return "another vuf-keeper has " + path_;
  }
  lock_ = std::move(lock);
  return "";
}

// Removes what one that was killed has left.
std::string Listener::ClearName() const {
  struct stat about;
  if (lstat(path_.c_str(), &about) != 0) return errno == ENOENT ? "" : Problem("cannot see", path_);
  if (!S_ISSOCK(about.st_mode)) return path_ + " exists and is no socket";
  if (IsListenedOn(path_)) return "somebody listens at " + path_;
  return unlink(path_.c_str()) == 0 ? "" : Problem("cannot remove", path_);
}

std::string Listener::Bind(int type, const SocketAccess& access) {
  Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = AddressOf(path_);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Problem("cannot bind", path_);
  }
  named_ = true;
  if (access.group.has_value() &&
      chown(path_.c_str(), static_cast<uid_t>(-1), *access.group) != 0) {
    return Problem("cannot change the group of", path_);
  }
  // Nobody can connect before listen, so nobody can with the permissions of before.
  if (chmod(path_.c_str(), access.mode) != 0 || listen(socket.get(), kBacklog) != 0) {
    return Problem("cannot listen at", path_);
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
  problem = TooLong(path);
  if (!problem.empty()) return Fd();
  Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = AddressOf(path);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return socket;
  }
  problem = Problem("cannot connect to", path);
  return Fd();
}

// Nothing tells when a socket is listened on; its name comes before.
Fd ConnectWhenThere(const std::string& path, std::chrono::milliseconds limit, int interrupt,
                    std::string& problem) {
  constexpr int kPauseMs = 10;
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    Fd socket = Connect(path, SOCK_STREAM, problem);
    if (socket.valid() || std::chrono::steady_clock::now() >= end) return socket;
    pollfd pause = {interrupt, POLLIN, 0};
    if (poll(&pause, 1, kPauseMs) > 0) {
      problem.insert(0, "a signal ended the wait for it (").append(")");
      return Fd();
    }
  }
}

}  // namespace vuf::keeper
