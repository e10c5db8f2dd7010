#include "server/qmp/testing/fake_qmp_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

constexpr char kGreeting[] =
    R"({"QMP":{"version":{"qemu":{"micro":13,"minor":0,"major":10},"package":"Debian"},)"
    R"("capabilities":["oob"]}})"
    "\r\n";
constexpr absl::Duration kPatience = absl::Seconds(20);

// A test that cannot be set up has no result.
void Check(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

std::string ForArguments(const std::string& command, const Json& arguments) {
  return absl::StrCat(command, " ", arguments.dump());
}

FakeQmpServer::Answer WithId(Json message) {
  message.erase("id");
  const std::string body = message.dump();
  return {
      absl::StrCat(body.substr(0, body.size() - 1), body.size() > 2 ? "," : "", "\"id\":$ID}\r\n")};
}

}  // namespace

FakeQmpServer::FakeQmpServer() : greeting_(kGreeting) {
  path_ = directory_.Path("monitor");
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  Check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  Check(listen(listener_, 1) == 0, "listen");
  Check(pipe2(wake_, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
  thread_ = std::thread([this] { Serve(); });
}

FakeQmpServer::~FakeQmpServer() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  Wake();
  thread_.join();
  MutexLock lock(&mu_);
  Drop();
  for (const auto& [name, fd] : descriptors_) close(fd);
  for (const int fd : received_fds_) close(fd);
  for (const int fd : {listener_, wake_[0], wake_[1]}) close(fd);
  unlink(path_.c_str());
}

void FakeQmpServer::SetGreeting(std::string bytes) {
  MutexLock lock(&mu_);
  greeting_ = std::move(bytes);
}

void FakeQmpServer::Return(const std::string& command, Json value) {
  AnswerWith(command, WithId({{"return", std::move(value)}}));
}

void FakeQmpServer::Refuse(const std::string& command, const std::string& desc,
                           const std::string& error_class) {
  AnswerWith(command, WithId({{"error", {{"class", error_class}, {"desc", desc}}}}));
}

void FakeQmpServer::ReturnFor(const std::string& command, const Json& arguments, Json message) {
  MutexLock lock(&mu_);
  answers_for_[ForArguments(command, arguments)] = WithId(std::move(message));
}

void FakeQmpServer::AnswerWith(const std::string& command, Answer answer) {
  MutexLock lock(&mu_);
  answers_[command] = std::move(answer);
}

void FakeQmpServer::Replay(const Json& transcript) {
  for (const Json& step : transcript) {
    const Json& sent = step.at("send");
    if (sent.is_null()) {
      SetGreeting(step.at("receive").dump() + "\r\n");
    } else {
      ReturnFor(sent.at("execute"), sent.value("arguments", Json::object()), step.at("receive"));
    }
  }
  MutexLock lock(&mu_);
  replaying_ = true;
}

void FakeQmpServer::Hold(const std::string& command) {
  MutexLock lock(&mu_);
  held_.insert(command);
}

void FakeQmpServer::Release(const std::string& command) {
  MutexLock lock(&mu_);
  held_.erase(command);
  for (const Answer& answer : kept_back_[command]) Write(answer);
  kept_back_.erase(command);
}

void FakeQmpServer::Freeze() {
  {
    MutexLock lock(&mu_);
    frozen_ = true;
  }
  Wake();
}

void FakeQmpServer::Send(const std::string& bytes) {
  MutexLock lock(&mu_);
  while (client_ < 0) Check(changed_.WaitFor(&mu_, kPatience), "no client");
  Write({bytes});
}

void FakeQmpServer::Emit(const std::string& event, const Json& data) {
  Send(Json{{"event", event}, {"data", data}, {"timestamp", {{"seconds", 1}, {"microseconds", 0}}}}
           .dump() +
       "\r\n");
}

void FakeQmpServer::CloseClient() {
  MutexLock lock(&mu_);
  while (client_ < 0) Check(changed_.WaitFor(&mu_, kPatience), "no client");
  Drop();
  Wake();
}

std::vector<std::string> FakeQmpServer::Commands() const {
  MutexLock lock(&mu_);
  std::vector<std::string> out;
  for (const Json& request : requests_) out.push_back(request["execute"]);
  return out;
}

std::vector<Json> FakeQmpServer::Requests() const {
  MutexLock lock(&mu_);
  return requests_;
}

bool FakeQmpServer::AwaitCommand(const std::string& command, int times) const {
  MutexLock lock(&mu_);
  while (true) {
    int seen = 0;
    for (const Json& request : requests_) seen += request["execute"] == command;
    if (seen >= times) return true;
    if (!changed_.WaitFor(&mu_, kPatience)) return false;
  }
}

std::map<std::string, int> FakeQmpServer::Descriptors() const {
  MutexLock lock(&mu_);
  return descriptors_;
}

void FakeQmpServer::Serve() {
  while (true) {
    std::array<pollfd, 3> fds = {};
    {
      MutexLock lock(&mu_);
      if (stop_) return;
      // One client at a time, as QEMU: the next one waits in the backlog.
      const bool full = frozen_ || client_ >= 0;
      fds = {{{wake_[0], POLLIN, 0},
              {full ? -1 : listener_, POLLIN, 0},
              {frozen_ ? -1 : client_, POLLIN, 0}}};
    }
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    MutexLock lock(&mu_);
    char drain[16];
    if (fds[0].revents != 0) (void)!read(wake_[0], drain, sizeof(drain));
    if (frozen_) continue;
    if (fds[1].revents != 0 && client_ < 0) Accept();
    if (fds[2].revents != 0 && client_ == fds[2].fd) Read();
    changed_.NotifyAll();
  }
}

void FakeQmpServer::Accept() {
  client_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  input_.clear();
  if (client_ >= 0 && !greeting_.empty()) Write({greeting_});
}

void FakeQmpServer::Read() {
  std::array<char, 65536> bytes;
  iovec part = {bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(client_, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return Drop();
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= h->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + at, sizeof(fd));
      received_fds_.push_back(fd);
    }
  }
  input_.append(bytes.data(), static_cast<size_t>(size));
  for (size_t end = input_.find('\n'); end != std::string::npos && client_ >= 0;
       end = input_.find('\n')) {
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    Handle(line);
  }
}

void FakeQmpServer::Handle(const std::string& line) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object() || !request.contains("execute")) {
    return Write({R"({"error":{"class":"GenericError","desc":"JSON parse error"}})"
                  "\r\n"});
  }
  const std::string command = request["execute"];
  const Answer answer = AnswerTo(request);
  if (command == "qmp_capabilities") return Write(answer);
  requests_.push_back(request);
  // A set of descriptors (add-fd) has no name, so it is found under the command's.
  if ((command == "getfd" || command == "add-fd") && !received_fds_.empty()) {
    const bool named = command == "getfd";
    descriptors_[named ? std::string(request["arguments"]["fdname"]) : command] =
        received_fds_.front();
    received_fds_.erase(received_fds_.begin());
  }
  if (held_.count(command) > 0) {
    kept_back_[command].push_back(answer);
  } else {
    Write(answer);
  }
}

FakeQmpServer::Answer FakeQmpServer::AnswerTo(const Json& request) {
  const std::string command = request["execute"];
  Answer answer = WithId({{"return", Json::object()}});
  const auto exact =
      answers_for_.find(ForArguments(command, request.value("arguments", Json::object())));
  const auto any = answers_.find(command);
  if (exact != answers_for_.end()) {
    answer = exact->second;
  } else if (any != answers_.end()) {
    answer = any->second;
  } else if (replaying_ && command != "qmp_capabilities") {
    answer = WithId({{"error",
                      {{"class", "CommandNotFound"},
                       {"desc", absl::StrCat("not recorded: ", request.dump())}}}});
  }
  answer.bytes = absl::StrReplaceAll(answer.bytes, {{"$ID", request.value("id", Json()).dump()}});
  return answer;
}

void FakeQmpServer::Write(const Answer& answer) {
  if (client_ < 0) return;
  size_t sent = 0;
  while (sent < answer.bytes.size()) {
    const ssize_t n =
        send(client_, answer.bytes.data() + sent, answer.bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0) return Drop();
    sent += static_cast<size_t>(n);
  }
  if (answer.close) Drop();
}

void FakeQmpServer::Drop() {
  if (client_ >= 0) close(client_);
  client_ = -1;
}

void FakeQmpServer::Wake() { (void)!write(wake_[1], "", 1); }

}  // namespace vuf
