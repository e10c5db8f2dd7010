// vuf-keeper as a process, with a tiny back-end in another one.
#ifndef VUFD_KEEPER_VUF_KEEPER_WORLD_H_
#define VUFD_KEEPER_VUF_KEEPER_WORLD_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "keeper/fd.h"
#include "keeper/sockets.h"

namespace vuf::keeper {

// No test waits longer for anything.
inline constexpr int kPatienceMs = 30000;

// A back-end that says yes to everything, to its first client, and then ends. Returns its exit
// status.
int BeBackEnd(int listener);

// A child process; what it writes to one stream can be waited for.
class Child {
 public:
  // Starts a program, with NOTIFY_SOCKET when `notify` is not empty.
  Child(std::vector<std::string> line, int stream, const std::string& notify = "");
  // A fork of this process, which ends with what `act` returns.
  explicit Child(const std::function<int()>& act);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Reads until `text` was there; false: it ended without.
  bool Await(const std::string& text);
  // Exit status; -1 for a signal's.
  int Wait();
  void Kill(int signal) const;
  pid_t pid() const { return pid_; }
  const std::string& text() const { return text_; }

 private:
  bool ReadMore();

  pid_t pid_ = 0;
  int status_ = -1;
  Fd output_;
  std::string text_;
};

std::string ReadFile(const std::string& path);

// A directory with a back-end's socket in it, and the names for a keeper's.
class VufKeeperWorld {
 public:
  // `self`: this program, which must be a back-end when it is started with --back-end=FD.
  explicit VufKeeperWorld(std::string self);
  ~VufKeeperWorld();
  VufKeeperWorld(const VufKeeperWorld&) = delete;
  VufKeeperWorld& operator=(const VufKeeperWorld&) = delete;

  std::unique_ptr<Child> BackEnd();
  // A keeper's command line.
  std::vector<std::string> Line(const std::vector<std::string>& more) const;
  std::unique_ptr<Child> Keeper(const std::string& notify = "") const;
  // A keeper that starts its back-end.
  std::unique_ptr<Child> Supervisor() const;
  // What vuf-keeperctl prints; its exit status goes to `status`.
  std::string Ctl(std::vector<std::string> words, int& status) const;
  bool NothingIsLeft() const;
  // Nobody has connected to the back-end.
  bool Untouched() const;

  std::string directory = "/tmp/vufXXXXXX";
  std::string socket;
  std::string control;

 private:
  const std::string self_;
  Listener listener_;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_VUF_KEEPER_WORLD_H_
