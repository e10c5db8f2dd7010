// Who is answered over TLS, and who is not.
#include "server/http/tls_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/http/http_server.h"
#include "tests/testing/certificates.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGet[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kNotAnswered[] = "not answered";

int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit = {10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

void UseCertificate(SSL_CTX* context, const TestCertificate& mine) {
  const auto read = [](const std::string& pem) {
    return std::shared_ptr<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                BIO_free);
  };
  const std::shared_ptr<X509> certificate(
      PEM_read_bio_X509(read(mine.certificate).get(), nullptr, nullptr, nullptr), X509_free);
  const std::shared_ptr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(read(mine.key).get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  EXPECT_EQ(SSL_CTX_use_certificate(context, certificate.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
}

std::string Pem(const X509* certificate) {
  if (certificate == nullptr) return "";
  const std::shared_ptr<BIO> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(bio.get(), certificate);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

class TlsHttpTest : public ::testing::Test {
 protected:
  TlsHttpTest() {
    agent_ = ca_.IssueAgent();
    Write("tls.crt", agent_.certificate);
    Write("tls.key", agent_.key);
    Write("ca.crt", ca_.certificate());
    Write("roles",
          "bindings { identity: \"spiffe://test/prometheus\" roles: ROLE_VIEWER }\n"
          "bindings { identity: \"dns:prometheus.test\" roles: ROLE_VIEWER }\n"
          "bindings { identity: \"spiffe://test/peer\" roles: ROLE_PEER }\n");
    tls_ = *TlsStore::Open(
        {directory_.Path("tls.crt"), directory_.Path("tls.key"), directory_.Path("ca.crt")},
        &clock_, {});
    roles_ = *RoleStore::Open(directory_.Path("roles"), [](const absl::Status&) {});
    http_ = std::make_unique<TlsHttp>(tls_.get(), roles_.get());
    server_ = *HttpServer::Start({"tls.http_address", "127.0.0.1:0", /*only_loopback=*/false},
                                 {{"/metrics",
                                   [this](const HttpRequest&) {
                                     return HttpAnswer{200, body_};
                                   }}},
                                 [this](int fd) { return http_->Make(fd); });
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.Path(name)) << text;
  }

  // What it answers to `me` (null: without a certificate), and which certificate it showed.
  std::string Get(const TestCertificate* me, int newest = TLS1_3_VERSION,
                  std::string* shown = nullptr) {
    const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), newest);
    if (me != nullptr) UseCertificate(context.get(), *me);
    const std::shared_ptr<SSL> ssl(SSL_new(context.get()), SSL_free);
    const int fd = Connect(server_->port());
    SSL_set_fd(ssl.get(), fd);
    std::string answer;
    // With TLS 1.3 a client learns that it was refused only when it reads.
    if (SSL_connect(ssl.get()) == 1 && SSL_write(ssl.get(), kGet, sizeof(kGet) - 1) > 0) {
      if (shown != nullptr) *shown = Pem(SSL_get0_peer_certificate(ssl.get()));
      char buffer[4096];
      int n = 0;
      while ((n = SSL_read(ssl.get(), buffer, sizeof(buffer))) > 0) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
    ERR_clear_error();
    close(fd);
    return answer.empty() ? kNotAnswered : answer;
  }
  std::string GetAs(const TestCertificate& me) { return Get(&me); }

  const TestCa ca_{"CA"};
  TestCertificate agent_;
  TempDirectory directory_;
  SystemClock clock_;
  std::string body_ = "up 1\n";
  std::unique_ptr<TlsStore> tls_;
  std::unique_ptr<RoleStore> roles_;
  std::unique_ptr<TlsHttp> http_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(TlsHttpTest, AViewerIsAnswered) {
  EXPECT_THAT(GetAs(ca_.IssueClient("spiffe://test/prometheus")),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\n\r\nup 1\n")));
  EXPECT_THAT(GetAs(ca_.Issue({"DNS:prometheus.test"})), StartsWith("HTTP/1.1 200 "));
}

TEST_F(TlsHttpTest, ALongAnswerIsSentWhole) {
  body_ = std::string(1 << 20, 'x');
  EXPECT_GT(GetAs(ca_.IssueClient("spiffe://test/prometheus")).size(), body_.size());
}

TEST_F(TlsHttpTest, WhoeverIsNoViewerIsToldSo) {
  const std::string peer = GetAs(ca_.IssueClient("spiffe://test/peer"));
  EXPECT_THAT(peer, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_THAT(peer, HasSubstr("spiffe://test/peer has not the role ROLE_VIEWER"));
  EXPECT_THAT(GetAs(ca_.IssueClient("spiffe://test/other")), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(GetAs(ca_.Issue({})), HasSubstr("no SPIFFE id and no DNS name"));
  // Two URIs are no SPIFFE id, whichever comes first.
  EXPECT_THAT(GetAs(ca_.Issue({"URI:spiffe://test/prometheus,URI:spiffe://test/peer"})),
              StartsWith("HTTP/1.1 403 "));
}

TEST_F(TlsHttpTest, OthersDoNotGetPastTheHandshake) {
  EXPECT_EQ(Get(nullptr), kNotAnswered);
  EXPECT_EQ(GetAs(TestCa("other CA").IssueClient("spiffe://test/prometheus")), kNotAnswered);
  TestCa::Options expired;
  expired.alternative_names = "URI:spiffe://test/prometheus";
  expired.ends = -absl::Minutes(1);
  EXPECT_EQ(GetAs(ca_.Issue(expired)), kNotAnswered);
  const TestCertificate viewer = ca_.IssueClient("spiffe://test/prometheus");
  EXPECT_EQ(Get(&viewer, TLS1_1_VERSION), kNotAnswered);
  EXPECT_THAT(Get(&viewer, TLS1_2_VERSION), StartsWith("HTTP/1.1 200 "));
}

TEST_F(TlsHttpTest, PlainHttpIsNotAnswered) {
  const int fd = Connect(server_->port());
  send(fd, kGet, sizeof(kGet) - 1, MSG_NOSIGNAL);
  char buffer[4096];
  std::string got;
  ssize_t n = 0;
  while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) got.append(buffer, static_cast<size_t>(n));
  close(fd);
  EXPECT_THAT(got, ::testing::Not(HasSubstr("up 1")));
}

TEST_F(TlsHttpTest, NewFilesHoldForTheNextConnection) {
  const TestCertificate old_viewer = ca_.IssueClient("spiffe://test/prometheus");
  std::string shown;
  Get(&old_viewer, TLS1_3_VERSION, &shown);
  EXPECT_EQ(shown, agent_.certificate);
  const TestCa next("next CA");
  const TestCertificate agent = next.IssueAgent();
  Write("tls.crt", agent.certificate);
  Write("tls.key", agent.key);
  Write("ca.crt", next.certificate());
  tls_->Poll();
  EXPECT_EQ(GetAs(old_viewer), kNotAnswered);
  const TestCertificate viewer = next.IssueClient("spiffe://test/prometheus");
  EXPECT_THAT(Get(&viewer, TLS1_3_VERSION, &shown), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(shown, agent.certificate);
}

TEST_F(TlsHttpTest, ARoleThatWasTakenAwayIsGone) {
  const TestCertificate viewer = ca_.IssueClient("spiffe://test/prometheus");
  EXPECT_THAT(GetAs(viewer), StartsWith("HTTP/1.1 200 "));
  Write("roles", "bindings { identity: \"uid:0\" roles: ROLE_VIEWER }\n");
  roles_->Poll();
  EXPECT_THAT(GetAs(viewer), StartsWith("HTTP/1.1 403 "));
}

TEST_F(TlsHttpTest, AHandshakeThatIsNotFinishedDoesNotBlockOthers) {
  const int silent = Connect(server_->port());
  EXPECT_THAT(GetAs(ca_.IssueClient("spiffe://test/prometheus")), StartsWith("HTTP/1.1 200 "));
  close(silent);
}

}  // namespace
}  // namespace vuf
