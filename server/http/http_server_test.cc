#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A plain TCP client; every read gives up after ten seconds.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit = {10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void Send(const std::string& text) { send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Everything until the server closes.
  std::string ReadAll() {
    std::string all;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd_, buffer, sizeof(buffer), 0)) > 0)
      all.append(buffer, static_cast<size_t>(n));
    return all;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(absl::Duration client_timeout = absl::Seconds(5)) {
    auto server = HttpServer::Start(
        {"http_address", "127.0.0.1:0"},
        {{"/metrics",
          [](const HttpRequest&) {
            return HttpAnswer{200, "up 1\n"};
          }},
         {"/page",
          [](const HttpRequest& request) {
            return HttpAnswer{request.names_loopback ? 200 : 421, "<p>", "text/html"};
          }},
         {"/big",
          [](const HttpRequest&) {
            return HttpAnswer{200, std::string(1 << 20, 'x')};
          }},
         {"/healthz",
          [this](const HttpRequest&) {
            return healthy_ ? HttpAnswer{200, "ok\n"} : HttpAnswer{503, "stopping\n"};
          }}},
        PlainHttpStream, client_timeout);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Get(const std::string& request) {
    Client client(server_->port());
    client.Send(request);
    return client.ReadAll();
  }

  std::atomic<bool> healthy_{true};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ServesItsPaths) {
  Start();
  const std::string answer = Get("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nup 1\n"));
}

TEST_F(HttpServerTest, HealthCanBeBad) {
  Start();
  EXPECT_THAT(Get("GET /healthz HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  healthy_ = false;
  EXPECT_THAT(Get("GET /healthz HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
}

TEST_F(HttpServerTest, PagesAreForThemselvesAlone) {
  Start();
  const std::string answer = Get("GET /page HTTP/1.1\r\nHost: localhost:9469\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/html\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Security-Policy: default-src 'none'; "));
  EXPECT_THAT(answer, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
}

TEST_F(HttpServerTest, SaysWhetherItWasCalledByANameOfLoopback) {
  Start();
  for (const char* const host : {"", "Host: localhost\r\n", "host:127.0.0.1:9469\r\n",
                                 "HOST: [::1]:9469\r\n", "Host: 127.1.2.3\r\n"}) {
    EXPECT_THAT(Get(absl::StrCat("GET /page HTTP/1.1\r\n", host, "\r\n")),
                StartsWith("HTTP/1.1 200 "))
        << host;
  }
  for (const char* const host : {"elsewhere.example", "localhost.example:80", "10.0.0.1", "[::2]",
                                 "127.0.0.1.example", "", "127.0.0.1\r\nHost: elsewhere.example"}) {
    EXPECT_THAT(Get(absl::StrCat("GET /page HTTP/1.1\r\nHost: ", host, "\r\n\r\n")),
                StartsWith("HTTP/1.1 421 Misdirected Request\r\n"))
        << host;
  }
}

TEST_F(HttpServerTest, RefusesWhatItDoesNotServe) {
  Start();
  EXPECT_THAT(Get("GET /etc/passwd HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get("POST /metrics HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Get("\x16\x03\x01 garbage\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get(std::string(HttpServer::kMaxRequestBytes, 'a')), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start();
  const std::string answer = Get("HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, SendsLongAnswersWhole) {
  Start();
  EXPECT_GT(Get("GET /big HTTP/1.1\r\n\r\n").size(), size_t{1} << 20);
}

TEST_F(HttpServerTest, SilentClientsAreEndedAndDoNotBlockOthers) {
  Start(absl::Milliseconds(300));
  std::vector<std::unique_ptr<Client>> silent;
  for (size_t i = 0; i < HttpServer::kMaxClients; ++i) {
    silent.push_back(std::make_unique<Client>(server_->port()));
    ASSERT_TRUE(silent.back()->connected());
    silent.back()->Send("GET /met");
  }
  // All places are taken; this one is served as soon as the silent ones are thrown out.
  EXPECT_THAT(Get("GET /metrics HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  for (const auto& client : silent) EXPECT_EQ(client->ReadAll(), "");
}

TEST_F(HttpServerTest, StopsAtOnceWithClientsConnected) {
  Start(absl::Minutes(1));
  Client client(server_->port());
  client.Send("GET ");
  const absl::Time begin = absl::Now();
  server_.reset();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST(HttpServerAddressTest, OnlyLoopback) {
  for (const char* const address :
       {"0.0.0.0:0", "8.8.8.8:80", "[::]:0", "127.0.0.1", "127.0.0.1:70000", "127.0.0.1:x", ""}) {
    const auto server = HttpServer::Start({"http_address", address}, {});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("http_address")) << address;
  }
}

TEST(HttpServerAddressTest, AnyNumericHostWhereThatIsAllowed) {
  for (const char* const address : {"0.0.0.0:0", "[::]:0", "127.0.0.1:0"}) {
    EXPECT_TRUE(HttpServer::Start({"tls.http_address", address, false}, {}).ok()) << address;
  }
  for (const char* const address : {"localhost:0", "0.0.0.0", "0.0.0.0:70000", ""}) {
    const auto server = HttpServer::Start({"tls.http_address", address, false}, {});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("tls.http_address")) << address;
  }
}

TEST(HttpServerAddressTest, TakenPortIsSaid) {
  const auto first = HttpServer::Start({"http_address", "127.0.0.1:0"}, {});
  ASSERT_TRUE(first.ok());
  const auto second =
      HttpServer::Start({"http_address", "127.0.0.1:" + std::to_string((*first)->port())}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace vuf
