// Sockets with names.
#ifndef VUFD_KEEPER_SOCKETS_H_
#define VUFD_KEEPER_SOCKETS_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "keeper/fd.h"

namespace vuf::keeper {

// The longest name that the kernel takes.
inline constexpr size_t kMaxSocketPath = 107;

// Who may connect. Without a group it is the process's own.
struct SocketAccess {
  mode_t mode = 0600;
  std::optional<gid_t> group;
};

// A name that this process listens on. A file beside it (".lock") is locked for as long, so that a
// name of one that is gone is told from a name in use without connecting to it.
class Listener {
 public:
  Listener() = default;
  // Both names are gone afterwards.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `type` is SOCK_STREAM or SOCK_SEQPACKET. Returns what is wrong, or "". Once.
  std::string Open(const std::string& path, int type, const SocketAccess& access);
  int fd() const { return socket_.get(); }
  // The next connection and its peer; not valid when there is none.
  struct Peer {
    Fd socket;
    pid_t pid = 0;
    uid_t uid = static_cast<uid_t>(-1);
  };
  Peer Accept();
  // For another process to accept from.
  const Fd& socket() const { return socket_; }

 private:
  std::string Lock();
  std::string ClearName() const;
  std::string Bind(int type, const SocketAccess& access);

  std::string path_;
  // Valid as long as the lock is held.
  Fd lock_;
  bool named_ = false;
  Fd socket_;
};

// Connects to who listens at `path`, once, as soon as somebody does. Not valid after `limit`, or
// when `interrupt` becomes readable; why is in `problem`.
Fd ConnectWhenThere(const std::string& path, std::chrono::milliseconds limit, int interrupt,
                    std::string& problem);
// One attempt, without waiting.
Fd Connect(const std::string& path, int type, std::string& problem);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SOCKETS_H_
