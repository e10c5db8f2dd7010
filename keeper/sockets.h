// Sockets with names.
#ifndef VUFD_KEEPER_SOCKETS_H_
#define VUFD_KEEPER_SOCKETS_H_

#include <sys/types.h>

#include <chrono>
#include <string>

#include "keeper/fd.h"

namespace vuf::keeper {

// A name that this process listens on. A file beside it (".lock") is locked for as long, so that a
// name of one that is gone is told from a name in use without connecting to it.
class Listener {
 public:
  Listener() = default;
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `type` is SOCK_STREAM or SOCK_SEQPACKET. Returns what is wrong, or "".
  std::string Open(const std::string& path, int type, mode_t mode);
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
  std::string path_;
  Fd lock_;
  Fd socket_;
};

// Connects to who listens at `path`, once, as soon as somebody does. Not valid after `limit`; why
// is in `problem`.
Fd ConnectWhenThere(const std::string& path, std::chrono::milliseconds limit, std::string& problem);
// One attempt, without waiting.
Fd Connect(const std::string& path, int type, std::string& problem);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SOCKETS_H_
