#include "server/qmp/qmp_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/log.h"
#include "server/base/wait_ready.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

constexpr size_t kReadBytes = size_t{64} << 10;

std::string StringOf(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string Serialize(const QmpCommand& command, uint64_t id) {
  Json request = {{"execute", command.name}, {"id", id}};
  if (!command.arguments.empty()) request["arguments"] = command.arguments;
  // Arguments come from QEMU or from constants; what is not UTF-8 after all must not throw.
  return request.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

// With "oob" QEMU (2.12) reads the next command before it has answered the last one: a batch takes
// it little more than half the time. No command is sent out of band.
Json Wanted(const Json& greeting) {
  const auto offered = greeting.find("capabilities");
  const bool oob = offered != greeting.end() && offered->is_array() &&
                   std::find(offered->begin(), offered->end(), "oob") != offered->end();
  return oob ? Json{{"enable", Json::array({"oob"})}} : Json::object();
}

QmpReply ToReply(Json message) {
  QmpReply reply;
  if (const auto value = message.find("return"); value != message.end()) {
    reply.value = std::move(*value);
    return reply;
  }
  const Json error = message.value("error", Json::object());
  if (error.is_object()) reply.error_desc = StringOf(error, "desc");
  return reply;
}

bool AllHere(const std::map<uint64_t, std::optional<QmpReply>>& pending) {
  return std::all_of(pending.begin(), pending.end(),
                     [](const auto& entry) { return entry.second.has_value(); });
}

}  // namespace

absl::Status QmpReply::ToStatus(const std::string& command) const {
  return absl::FailedPreconditionError(absl::StrCat(
      command, ": QEMU says: ", error_desc.empty() ? "(an error without words)" : error_desc));
}

QmpConnection::QmpConnection(std::string path, FileDescriptor socket, Limits limits)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      limits_(limits),
      peer_(PeerProcess(socket_.get())),
      lines_(limits.line_bytes) {}

absl::StatusOr<std::unique_ptr<QmpConnection>> QmpConnection::Open(const std::string& path,
                                                                   absl::Time deadline,
                                                                   Limits limits) {
  absl::StatusOr<FileDescriptor> socket = ConnectMonitor(path, deadline);
  if (!socket.ok()) return socket.status();
  std::unique_ptr<QmpConnection> connection(new QmpConnection(path, *std::move(socket), limits));
  if (absl::Status status = connection->Negotiate(deadline); !status.ok()) return status;
  return connection;
}

absl::Status QmpConnection::Negotiate(absl::Time deadline) {
  const auto no_monitor = [this](absl::string_view why) {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat(path_, " is no QMP monitor with one message per line: ", why)));
  };
  std::optional<Json> first;
  while (!first) {
    absl::Status status = WaitReady(socket_.get(), POLLIN, deadline);
    if (absl::IsDeadlineExceeded(status)) {
      return Fail(absl::DeadlineExceededError(
          absl::StrCat(path_, " does not greet; another client may hold the monitor")));
    }
    if (status.ok()) status = Receive();
    if (!status.ok()) return no_monitor(status.message());
    absl::StatusOr<std::optional<Json>> message = NextMessage();
    if (!message.ok()) return no_monitor(message.status().message());
    first = *std::move(message);
  }
  const auto greeting = first->find("QMP");
  if (greeting == first->end() || !greeting->is_object()) {
    return no_monitor(absl::StrCat(
        "it says ", Excerpt(first->dump(-1, ' ', true, Json::error_handler_t::replace))));
  }
  greeting_ = std::move(*greeting);
  const absl::StatusOr<QmpReply> reply = Run({"qmp_capabilities", Wanted(greeting_)}, deadline);
  if (!reply.ok()) return reply.status();
  if (!reply->ok()) return no_monitor(reply->ToStatus("qmp_capabilities").message());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<QmpReply>> QmpConnection::RunAll(const std::vector<QmpCommand>& commands,
                                                            absl::Time deadline) {
  return Exchange(commands, -1, deadline);
}

absl::StatusOr<QmpReply> QmpConnection::Run(const QmpCommand& command, absl::Time deadline) {
  return RunWithFd(command, -1, deadline);
}

absl::StatusOr<QmpReply> QmpConnection::RunWithFd(const QmpCommand& command, int fd,
                                                  absl::Time deadline) {
  absl::StatusOr<std::vector<QmpReply>> replies = Exchange({command}, fd, deadline);
  if (!replies.ok()) return replies.status();
  return std::move(replies->front());
}

absl::StatusOr<std::vector<QmpReply>> QmpConnection::Exchange(
    const std::vector<QmpCommand>& commands, int fd, absl::Time deadline) {
  if (!failed_.ok()) return failed_;
  std::string out;
  Pending pending;
  for (const QmpCommand& command : commands) {
    pending.emplace(++last_id_, std::nullopt);
    out += Serialize(command, last_id_);
  }
  const absl::Status status = Pump(std::move(out), fd, pending, deadline);
  if (absl::IsDeadlineExceeded(status)) {
    for (size_t i = 0; i < commands.size(); ++i) {
      if (std::next(pending.begin(), static_cast<ptrdiff_t>(i))->second) continue;
      return Fail(absl::DeadlineExceededError(
          absl::StrCat(commands[i].name, ": ", path_, " did not answer in time")));
    }
  }
  if (!status.ok()) return Fail(status);
  std::vector<QmpReply> replies;
  for (auto& [id, reply] : pending) replies.push_back(*std::move(reply));
  return replies;
}

absl::Status QmpConnection::Pump(std::string out, int fd, Pending& pending, absl::Time deadline) {
  while (!out.empty() || !AllHere(pending)) {
    // QEMU stops reading while its answers are not read: always do both.
    const short events = out.empty() ? POLLIN : POLLIN | POLLOUT;
    if (absl::Status status = WaitReady(socket_.get(), events, deadline); !status.ok()) {
      return status;
    }
    if (absl::Status status = Send(out, fd); !status.ok()) return status;
    absl::Status received = Receive();
    // What came before the end of file counts: QEMU answers `quit`, and goes.
    if (absl::Status status = HandleMessages(pending); !status.ok()) return status;
    if (!received.ok() && !(out.empty() && AllHere(pending))) return received;
  }
  return absl::OkStatus();
}

absl::Status QmpConnection::Send(std::string& out, int& fd) {
  if (out.empty()) return absl::OkStatus();
  iovec bytes = {out.data(), out.size()};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) {
    out.erase(0, static_cast<size_t>(sent));
    fd = -1;
    return absl::OkStatus();
  }
  if (errno == EAGAIN || errno == EINTR) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the monitor ", path_, " is gone: ", std::strerror(errno)));
}

absl::Status QmpConnection::Receive() {
  std::array<char, kReadBytes> buffer;
  const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size > 0) return lines_.Append({buffer.data(), static_cast<size_t>(size)});
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return absl::OkStatus();
  const std::string why = size == 0 ? "end of file" : std::strerror(errno);
  return absl::UnavailableError(
      absl::StrCat("the monitor ", path_, " is gone: ", why,
                   lines_.pending() > 0 ? " in the middle of a message" : ""));
}

absl::StatusOr<std::optional<Json>> QmpConnection::NextMessage() {
  std::optional<std::string> line = lines_.Next();
  if (!line) return std::nullopt;
  line_bytes_ = line->size();
  absl::StatusOr<Json> message = ParseJsonObject(*line);
  if (!message.ok()) {
    return absl::UnavailableError(
        absl::StrCat("the monitor ", path_, " sent what is not QMP: ", message.status().message()));
  }
  return *std::move(message);
}

absl::Status QmpConnection::HandleMessages(Pending& pending) {
  while (true) {
    absl::StatusOr<std::optional<Json>> message = NextMessage();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    if ((*message)->contains("event")) {
      if (absl::Status status = KeepEvent(**std::move(message)); !status.ok()) return status;
    } else {
      TakeReply(**std::move(message), pending);
    }
  }
}

absl::Status QmpConnection::KeepEvent(const Json& message) {
  QmpEvent event = {StringOf(message, "event"), message.value("data", Json::object())};
  if (events_.size() >= limits_.events || event_bytes_ + line_bytes_ > limits_.event_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "more events of ", path_, " than vufd keeps (", events_.size(), " events of ", event_bytes_,
        " bytes wait); the connection is closed so that none is missed silently"));
  }
  event_bytes_ += line_bytes_;
  events_.push_back({std::move(event), line_bytes_});
  return absl::OkStatus();
}

void QmpConnection::TakeReply(Json message, Pending& pending) {
  const auto id = message.find("id");
  if (id != message.end() && id->is_number_unsigned()) {
    const auto it = pending.find(id->get<uint64_t>());
    if (it != pending.end() && !it->second &&
        (message.contains("return") || message.contains("error"))) {
      it->second = ToReply(std::move(message));
      return;
    }
  }
  // Only the first: a peer must not be able to fill the log.
  if (ignored_++ == 0) {
    Log(LogLevel::kWarning, "QMP message that answers nothing ignored",
        {{"monitor", path_},
         {"message", Excerpt(message.dump(-1, ' ', true, Json::error_handler_t::replace))}});
  }
}

absl::StatusOr<std::optional<QmpEvent>> QmpConnection::AwaitEvent(absl::Time deadline) {
  Pending nothing_pending;
  while (events_.empty() && failed_.ok()) {
    const absl::Status received = Receive();
    absl::Status status = HandleMessages(nothing_pending);
    if (status.ok()) status = received;
    if (!status.ok()) (void)Fail(status);
    if (!failed_.ok() || !events_.empty()) break;
    status = WaitReady(socket_.get(), POLLIN, deadline);
    if (absl::IsDeadlineExceeded(status)) return std::nullopt;
  }
  // A full queue is a gap behind these events: say so before anybody acts on them.
  if (events_.empty() || absl::IsResourceExhausted(failed_)) return failed_;
  Queued oldest = std::move(events_.front());
  events_.pop_front();
  event_bytes_ -= oldest.bytes;
  return std::move(oldest.event);
}

absl::Status QmpConnection::Fail(absl::Status why) {
  if (failed_.ok()) {
    failed_ = std::move(why);
    socket_.Close();
  }
  return failed_;
}

}  // namespace vuf
