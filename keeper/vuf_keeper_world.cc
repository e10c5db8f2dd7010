#include "keeper/vuf_keeper_world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "keeper/sanitized.h"
#include "keeper/wire.h"

namespace vuf::keeper {

int BeBackEnd(int listener) {
  pollfd wait = {listener, POLLIN, 0};
  if (poll(&wait, 1, kPatienceMs) != 1) return 1;
  Connection connection(Fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)));
  while (true) {
    pollfd readable = {connection.fd(), POLLIN, 0};
    poll(&readable, 1, -1);
    Message message;
    const Connection::Got got = connection.Receive(message);
    if (got == Connection::Got::kNothing) continue;
    if (got != Connection::Got::kMessage) return 0;
    uint64_t answer = 0;
    if (message.header.request == kGetFeatures) answer = kProtocolFeatures | (1ull << 32);
    if (message.header.request == kGetProtocolFeatures) answer = kMq | kReplyAck;
    if (message.header.request == kGetQueueNum) answer = 2;
    if (answer == 0 && !message.need_reply()) continue;
    connection.Send(Message::Make(message.header.request, answer, kVersion | kReply));
  }
}

Child::Child(std::vector<std::string> line, int stream, const std::string& notify) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  output_ = Fd(ends[0]);
  const Fd theirs(ends[1]);
  pid_ = fork();
  if (pid_ != 0) return;
  dup2(theirs.get(), stream);
  if (!notify.empty()) setenv("NOTIFY_SOCKET", notify.c_str(), 1);
  std::vector<char*> argv;
  argv.reserve(line.size() + 1);
  for (std::string& word : line) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(126);
}

Child::Child(const std::function<int()>& act) : pid_(fork()) {
  if (pid_ == 0) _exit(act());
}

Child::~Child() {
  Kill(SIGKILL);
  Wait();
}

bool Child::Await(const std::string& text) {
  while (text_.find(text) == std::string::npos) {
    if (!ReadMore()) return false;
  }
  return true;
}

int Child::Wait() {
  while (output_.valid() && ReadMore()) {
  }
  if (pid_ > 0) {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) abort();
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  pid_ = 0;
  return status_;
}

void Child::Kill(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

bool Child::ReadMore() {
  char buffer[4096];
  pollfd wait = {output_.get(), POLLIN, 0};
  if (poll(&wait, 1, kPatienceMs) != 1) return false;
  const ssize_t n = read(output_.get(), buffer, sizeof buffer);
  if (n > 0) text_.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::string ReadFile(const std::string& path) {
  std::string out;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "r"), &fclose);
  for (int c; file != nullptr && (c = fgetc(file.get())) != EOF;) out += static_cast<char>(c);
  return out;
}

VufKeeperWorld::VufKeeperWorld(std::string self) : self_(std::move(self)) {
  if (mkdtemp(directory.data()) == nullptr) abort();
  socket = directory + "/fs.sock";
  control = directory + "/fs.ctl";
  if (!listener_.Open(directory + "/be.sock", SOCK_STREAM, SocketAccess()).empty()) abort();
}

VufKeeperWorld::~VufKeeperWorld() {
  for (const char* name : {"fs.sock", "fs.ctl", "fs.ctl.be", "notify", "be.sock"}) {
    unlink((directory + "/" + name).c_str());
    unlink((directory + "/" + name + ".lock").c_str());
  }
  rmdir(directory.c_str());
}

std::unique_ptr<Child> VufKeeperWorld::BackEnd() {
  const int fd = listener_.fd();
  return std::make_unique<Child>([fd] { return BeBackEnd(fd); });
}

std::vector<std::string> VufKeeperWorld::Line(const std::vector<std::string>& more) const {
  std::vector<std::string> out = {"keeper/vuf-keeper", "--socket-path", socket,
                                  "--control-socket=" + control};
  if (kSanitized) out.push_back("--no-sandbox");
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::unique_ptr<Child> VufKeeperWorld::Keeper(const std::string& notify) const {
  return std::make_unique<Child>(Line({"--back-end-socket", directory + "/be.sock"}), STDERR_FILENO,
                                 notify);
}

std::unique_ptr<Child> VufKeeperWorld::Supervisor() const {
  return std::make_unique<Child>(Line({"--", self_, "--back-end={fd}"}), STDERR_FILENO);
}

std::string VufKeeperWorld::Ctl(std::vector<std::string> words, int& status) const {
  words.insert(words.begin(), {"keeper/vuf-keeperctl", "--control-socket", control});
  Child child(words, STDOUT_FILENO);
  status = child.Wait();
  return child.text();
}

bool VufKeeperWorld::NothingIsLeft() const {
  for (const std::string& path : {socket, socket + ".lock", control, control + ".lock"}) {
    if (access(path.c_str(), F_OK) == 0) return false;
  }
  return true;
}

bool VufKeeperWorld::Untouched() const {
  pollfd look = {listener_.fd(), POLLIN, 0};
  return poll(&look, 1, 0) == 0;
}

}  // namespace vuf::keeper
