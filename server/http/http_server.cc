#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

// A browser runs nothing but this server's own scripts, and shows its pages in no other's.
constexpr char kHeaders[] =
    "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n";

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;
  bool is_loopback = false;
};

absl::StatusOr<SocketAddress> Numeric(const std::string& host, int port) {
  SocketAddress address;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof(*v4);
    address.is_loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    return address;
  }
  const std::string inner(absl::StripSuffix(absl::StripPrefix(host, "["), "]"));
  if (inet_pton(AF_INET6, inner.c_str(), &v6->sin6_addr) != 1) {
    return absl::InvalidArgumentError("not a numeric host");
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<uint16_t>(port));
  address.length = sizeof(*v6);
  address.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  return address;
}

absl::StatusOr<SocketAddress> Parse(const HttpServer::Address& address) {
  const std::string& text = address.text;
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon != std::string::npos && absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 0 &&
      port <= 65535) {
    const std::string host = text.substr(0, colon);
    const bool by_name = address.only_loopback && host == "localhost";
    absl::StatusOr<SocketAddress> parsed = Numeric(by_name ? "127.0.0.1" : host, port);
    if (parsed.ok() && (parsed->is_loopback || !address.only_loopback)) return parsed;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(address.field, ": \"", text, "\" is not HOST:PORT with a ",
                   address.only_loopback ? "loopback" : "numeric", " host"));
}

absl::Status SystemError(const HttpServer::Address& address, const char* what) {
  return absl::UnavailableError(
      absl::StrCat(address.field, " \"", address.text, "\": ", what, ": ", strerror(errno)));
}

int PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t length = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  // The port is at the same place in both families.
  return ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

const char* Reason(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

std::string Message(const HttpAnswer& answer, bool with_body = true) {
  return absl::StrCat(
      "HTTP/1.1 ", answer.code, " ", Reason(answer.code), "\r\nContent-Type: ", answer.content_type,
      "\r\nContent-Length: ", answer.body.size(), "\r\n", kHeaders,
      answer.code == 405 ? "Allow: GET, HEAD\r\n" : "", "\r\n", with_body ? answer.body : "");
}

// Without the port: "[::1]:80" is "[::1]".
std::string HostOf(absl::string_view header) {
  const size_t end = absl::StartsWith(header, "[") ? header.find(']') : header.find(':');
  if (end == absl::string_view::npos) return std::string(header);
  return std::string(header.substr(0, header[end] == ']' ? end + 1 : end));
}

bool NamesLoopback(absl::string_view request) {
  for (const absl::string_view line : absl::StrSplit(request, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> header =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (!absl::EqualsIgnoreCase(header.first, "host")) continue;
    const std::string host = HostOf(absl::StripAsciiWhitespace(header.second));
    if (absl::EqualsIgnoreCase(host, "localhost")) continue;
    const absl::StatusOr<SocketAddress> address = Numeric(host, 0);
    if (!address.ok() || !address->is_loopback) return false;
  }
  return true;
}

}  // namespace

struct HttpServer::Client {
  std::unique_ptr<HttpStream> stream;
  absl::Time deadline;
  std::string request;
  std::string answer;
  size_t sent = 0;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Address& address,
                                                              Handlers handlers,
                                                              HttpStreamMaker make_stream,
                                                              absl::Duration client_timeout) {
  absl::StatusOr<SocketAddress> parsed = Parse(address);
  if (!parsed.ok()) return parsed.status();
  const int fd = socket(parsed->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError(address, "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, reinterpret_cast<sockaddr*>(&parsed->storage), parsed->length) != 0 ||
      listen(fd, static_cast<int>(kMaxClients)) != 0) {
    const absl::Status error = SystemError(address, "listen");
    close(fd);
    return error;
  }
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) {
    const absl::Status error = SystemError(address, "eventfd");
    close(fd);
    return error;
  }
  return std::unique_ptr<HttpServer>(
      new HttpServer(fd, stop_fd, std::move(handlers), std::move(make_stream), client_timeout));
}

HttpServer::HttpServer(int listen_fd, int stop_fd, Handlers handlers, HttpStreamMaker make_stream,
                       absl::Duration client_timeout)
    : listen_fd_(listen_fd),
      stop_fd_(stop_fd),
      port_(PortOf(listen_fd)),
      handlers_(std::move(handlers)),
      make_stream_(std::move(make_stream)),
      client_timeout_(client_timeout),
      thread_([this] { Serve(); }) {}

HttpServer::~HttpServer() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_fd_, &one, sizeof(one));
  thread_.join();
  close(listen_fd_);
  close(stop_fd_);
}

void HttpServer::Serve() {
  while (true) {
    // While all places are taken, new clients wait in the kernel's (short) backlog.
    std::vector<pollfd> fds = {{stop_fd_, POLLIN, 0}};
    fds.push_back({clients_.size() < kMaxClients ? listen_fd_ : -1, POLLIN, 0});
    absl::Time next = absl::InfiniteFuture();
    for (const auto& [fd, client] : clients_) {
      fds.push_back({fd, client.stream->events(), 0});
      next = std::min(next, client.deadline);
    }
    const absl::Duration wait = std::max(next - absl::Now(), absl::ZeroDuration());
    const int timeout_ms =
        clients_.empty() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(wait)) + 1;
    poll(fds.data(), fds.size(), timeout_ms);
    if (fds[0].revents != 0) break;
    for (size_t i = 2; i < fds.size(); ++i) {
      Client& client = clients_[fds[i].fd];
      const bool late = absl::Now() >= client.deadline;
      if (!late && (fds[i].revents == 0 || Advance(client))) continue;
      clients_.erase(fds[i].fd);
    }
    if (fds[1].revents != 0) Accept();
  }
  clients_.clear();
}

void HttpServer::Accept() {
  const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  std::unique_ptr<HttpStream> stream = make_stream_(fd);
  if (stream == nullptr) return;
  Client& client = clients_[fd];
  client.stream = std::move(stream);
  client.deadline = absl::Now() + client_timeout_;
}

bool HttpServer::Advance(Client& client) const {
  char buffer[2048];
  while (client.answer.empty()) {
    const ssize_t n = client.stream->Read(buffer, sizeof(buffer));
    if (n <= 0) return n == 0;
    client.request.append(buffer, static_cast<size_t>(n));
    Understand(client);
  }
  while (client.sent < client.answer.size()) {
    const ssize_t n = client.stream->Write(client.answer.data() + client.sent,
                                           client.answer.size() - client.sent);
    if (n <= 0) return n == 0;
    client.sent += static_cast<size_t>(n);
  }
  return false;
}

void HttpServer::Understand(Client& client) const {
  if (const std::string why = client.stream->refusal(); !why.empty()) {
    client.answer = Message({403, why});
  } else if (client.request.find("\r\n\r\n") != std::string::npos) {
    client.answer = Answer(client.request);
  } else if (client.request.size() >= kMaxRequestBytes) {
    client.answer = Message({431, "the request is longer than 8192 bytes\n"});
  }
}

std::string HttpServer::Answer(const std::string& request) const {
  const std::vector<std::string> words =
      absl::StrSplit(request.substr(0, request.find("\r\n")), ' ');
  if (words.size() != 3 || words[2].rfind("HTTP/1.", 0) != 0) {
    return Message({400, "not an HTTP/1.1 request\n"});
  }
  const bool head = words[0] == "HEAD";
  if (words[0] != "GET" && !head) return Message({405, "only GET and HEAD\n"});
  const auto handler = handlers_.find(words[1].substr(0, words[1].find('?')));
  if (handler == handlers_.end()) return Message({404, "only /, /metrics and /healthz\n"}, !head);
  return Message(handler->second({NamesLoopback(request)}), !head);
}

}  // namespace vuf
