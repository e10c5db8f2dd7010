#include "keeper/control.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "keeper/log.h"

namespace vuf::keeper {
namespace {

using Code = v1::KeeperResponse::Code;

constexpr uint32_t kMaxTtlMs = 86400000;
// A back-end that listens answers at once; the guest is served meanwhile by nobody.
constexpr int kNegotiationMs = 1000;

Code CodeOf(Result::Code code) {
  switch (code) {
    case Result::Code::kOk:
      return v1::KeeperResponse::CODE_OK;
    case Result::Code::kInvalidArgument:
      return v1::KeeperResponse::CODE_INVALID_ARGUMENT;
    case Result::Code::kFailedPrecondition:
      return v1::KeeperResponse::CODE_FAILED_PRECONDITION;
    case Result::Code::kInternal:
      return v1::KeeperResponse::CODE_INTERNAL;
  }
  return v1::KeeperResponse::CODE_UNSPECIFIED;
}

std::string CheckPermit(const std::string& permit) {
  const bool printable =
      std::all_of(permit.begin(), permit.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!permit.empty() && permit.size() <= kMaxPermit && printable) return "";
  return "permit: \"" + permit + "\" is not 1 to 39 printable ASCII characters without spaces";
}

}  // namespace

Control::Control(Listener* listener, Session* session, std::set<uid_t> uids, std::string version)
    : listener_(listener),
      session_(session),
      uids_(std::move(uids)),
      version_(std::move(version)) {}

size_t Control::Watch(std::array<pollfd, kMaxPolled>& out) const {
  size_t count = 0;
  out[count++] = {listener_->fd(), POLLIN, 0};
  for (const Client& client : clients_) {
    // One that waits is not looked at: what it asks next would end every wait at once.
    if (!client.socket.valid() || client.waits) continue;
    const int events = client.full ? POLLIN | POLLOUT : POLLIN;
    out[count++] = {client.socket.get(), static_cast<short>(events), 0};
  }
  return count;
}

void Control::AcceptAll() {
  while (true) {
    Listener::Peer peer = listener_->Accept();
    if (!peer.socket.valid()) return;
    if (uids_.count(peer.uid) == 0) {
      Log(Level::kWarning, "user " + std::to_string(peer.uid) + " may not use the control socket");
      continue;
    }
    const auto free = std::find_if(clients_.begin(), clients_.end(),
                                   [](const Client& client) { return !client.socket.valid(); });
    if (free == clients_.end()) {
      Log(Level::kWarning, "too many control connections: one was refused");
      continue;
    }
    *free = Client();
    free->socket = std::move(peer.socket);
  }
}

void Control::Dispatch(Time now) {
  AcceptAll();
  for (Client& client : clients_) {
    if (!client.socket.valid()) continue;
    if (client.waits && !session_->replacing()) {
      client.waits = false;
      Send(client, session_->replacement_result(), now);
    }
    if (client.socket.valid() && !client.waits) Serve(client, now);
    if (client.socket.valid() && client.watches && client.told != session_->revision()) {
      Send(client, Result::Ok(), now, /*pushed=*/true);
    }
  }
}

void Control::Serve(Client& client, Time now) {
  std::string packet(kMaxRequest + 1, '\0');
  const ssize_t n = recv(client.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return client.socket.Close();
  packet.resize(static_cast<size_t>(n));
  v1::KeeperRequest request;
  const Result result = Understand(packet, request);
  const Result done = result.ok() ? Do(request, now) : result;
  if (request.has_watch()) client.watches = true;
  client.waits = request.has_replace_back_end() && done.ok();
  if (!client.waits) Send(client, done, now);
}

void Control::Send(Client& client, const Result& result, Time now, bool pushed) {
  const v1::KeeperResponse response = ResponseTo(result, now);
  const std::string packet = response.SerializeAsString();
  const ssize_t n =
      send(client.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  client.full = n < 0 && errno == EAGAIN && pushed;
  if (client.full) return;
  // Who does not read answers is not waited for.
  if (n != static_cast<ssize_t>(packet.size())) return client.socket.Close();
  client.told = response.session().revision();
}

v1::KeeperResponse Control::ResponseTo(const Result& result, Time now) const {
  v1::KeeperResponse response;
  response.set_code(CodeOf(result.code));
  response.set_message(result.message);
  session_->Describe(now, *response.mutable_session());
  response.mutable_session()->set_version(version_);
  return response;
}

Result Control::Understand(const std::string& packet, v1::KeeperRequest& request) {
  if (packet.size() > kMaxRequest) return Result::Invalid("a request has at most 4096 bytes");
  if (request.ParseFromString(packet)) return Result::Ok();
  request.Clear();
  return Result::Invalid("the packet is no vuf.v1.KeeperRequest");
}

v1::KeeperResponse Control::Handle(const std::string& packet, Time now) {
  v1::KeeperRequest request;
  const Result result = Understand(packet, request);
  return ResponseTo(result.ok() ? Do(request, now) : result, now);
}

Result Control::Do(const v1::KeeperRequest& request, Time now) {
  switch (request.request_case()) {
    case v1::KeeperRequest::kGetSession:
    case v1::KeeperRequest::kWatch:
      return Result::Ok();
    case v1::KeeperRequest::kArm:
      return Arm(request.arm(), now);
    case v1::KeeperRequest::kDisarm: {
      const std::string wrong = CheckPermit(request.disarm().permit());
      return wrong.empty() ? session_->Disarm(request.disarm().permit()) : Result::Invalid(wrong);
    }
    case v1::KeeperRequest::kFence: {
      const std::string wrong = CheckPermit(request.fence().permit());
      return wrong.empty() ? session_->Fence(request.fence().permit()) : Result::Invalid(wrong);
    }
    case v1::KeeperRequest::kReplaceBackEnd:
      return Replace(request.replace_back_end(), now);
    case v1::KeeperRequest::REQUEST_NOT_SET:
      break;
  }
  return Result::Invalid("request: exactly one field must be set");
}

Result Control::Arm(const v1::KeeperArm& request, Time now) {
  if (std::string wrong = CheckPermit(request.permit()); !wrong.empty()) {
    return Result::Invalid(wrong);
  }
  Permit permit;
  permit.id = request.permit();
  switch (request.mode()) {
    case v1::KEEPER_MODE_STATELESS:
      permit.mode = MarkerMode::kStateless;
      break;
    case v1::KEEPER_MODE_STATEFUL:
      permit.mode = MarkerMode::kStateful;
      break;
    default:
      return Result::Invalid("mode: must be KEEPER_MODE_STATELESS or KEEPER_MODE_STATEFUL");
  }
  switch (request.direction()) {
    case v1::KeeperArm::DIRECTION_OUTGOING:
      permit.direction = Permit::Direction::kOutgoing;
      break;
    case v1::KeeperArm::DIRECTION_INCOMING:
      permit.direction = Permit::Direction::kIncoming;
      break;
    default:
      return Result::Invalid("direction: must be DIRECTION_OUTGOING or DIRECTION_INCOMING");
  }
  const bool incoming = permit.direction == Permit::Direction::kIncoming;
  if (incoming && permit.mode == MarkerMode::kStateless) {
    return Result::Invalid("direction: a stateless session does not come in from elsewhere");
  }
  if (request.ttl_ms() == 0 || request.ttl_ms() > kMaxTtlMs) {
    return Result::Invalid("ttl_ms: " + std::to_string(request.ttl_ms()) +
                           " is not from 1 to 86400000");
  }
  if (!incoming && request.source_inode() == 0) {
    return Result::Invalid("source_inode: must be set for DIRECTION_OUTGOING");
  }
  permit.expires = now + std::chrono::milliseconds(request.ttl_ms());
  permit.source = request.source_inode();
  permit.destination = request.destination_inode();
  return session_->Arm(permit);
}

Result Control::Replace(const v1::KeeperReplaceBackEnd& request, Time now) {
  const std::string& path = request.socket_path();
  if (path.empty() || path[0] != '/' || path.size() > kMaxSocketPath) {
    return Result::Invalid("socket_path: \"" + path +
                           "\" is not an absolute path of at most 107 bytes");
  }
  std::string problem;
  Fd socket = Connect(path, SOCK_STREAM, problem);
  if (!socket.valid()) return Result::Refused(problem);
  auto fresh = std::make_unique<BackEnd>(std::move(socket));
  problem = fresh->Negotiate(kNegotiationMs);
  if (!problem.empty()) return Result::Refused("the back-end at " + path + ": " + problem);
  return session_->BeginReplacement(std::move(fresh), now);
}

}  // namespace vuf::keeper
