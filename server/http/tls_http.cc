#include "server/http/tls_http.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/security/identity.h"
#include "server/security/openssl_ptr.h"

namespace vuf {
namespace {

using openssl::Bio;
using openssl::Certificate;
using openssl::Key;
using Names = std::unique_ptr<GENERAL_NAMES, openssl::Deleter<GENERAL_NAMES_free>>;
using Ssl = std::unique_ptr<SSL, openssl::Deleter<SSL_free>>;

std::vector<Certificate> Certificates(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<Certificate> certificates;
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  return certificates;
}

bool Use(SSL_CTX* context, const TlsMaterial& material) {
  const std::vector<Certificate> chain = Certificates(material.certificate_chain);
  const Bio bio(
      BIO_new_mem_buf(material.private_key.data(), static_cast<int>(material.private_key.size())));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (chain.empty() || SSL_CTX_use_certificate(context, chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return false;
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return false;
  }
  X509_STORE* const believed = SSL_CTX_get_cert_store(context);
  for (const Certificate& ca : Certificates(material.ca)) {
    if (X509_STORE_add_cert(believed, ca.get()) != 1 ||
        SSL_CTX_add_client_CA(context, ca.get()) != 1) {
      return false;
    }
  }
  return true;
}

// Null: OpenSSL does not take what CheckTlsMaterial took.
std::shared_ptr<SSL_CTX> ContextOf(const TlsMaterial& material) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  const bool good = context != nullptr &&
                    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                    Use(context.get(), material);
  ERR_clear_error();
  if (!good) return nullptr;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // A session that is taken up again would not show its certificate to CAs that have changed.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE);
  return context;
}

std::string Text(const ASN1_IA5STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

// As gRPC reads certificates: a SPIFFE id is the only URI.
Identity IdentityOfClient(const SSL* ssl) {
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  const Names names(static_cast<GENERAL_NAMES*>(
      certificate == nullptr
          ? nullptr
          : X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) uris.push_back(Text(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) dns.push_back(Text(name->d.dNSName));
  }
  const bool spiffe = uris.size() == 1 && uris.front().rfind("spiffe://", 0) == 0;
  return TlsIdentity(spiffe ? uris.front() : "", dns);
}

class TlsStream : public HttpStream {
 public:
  TlsStream(int fd, Ssl ssl, const RoleStore* roles)
      : fd_(fd), ssl_(std::move(ssl)), roles_(roles) {}
  ~TlsStream() override {
    // Says that the answer is whole. Whether it gets there does not matter any more.
    if (!broken_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
    close(fd_);
  }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Shakes hands first.
  ssize_t Read(char* buffer, size_t size) override {
    const ssize_t n = Moved(SSL_read(ssl_.get(), buffer, static_cast<int>(size)));
    if (n > 0) Judge();
    return n;
  }
  ssize_t Write(const char* data, size_t size) override {
    return Moved(SSL_write(ssl_.get(), data, static_cast<int>(std::min<size_t>(size, INT_MAX))));
  }
  short events() const override { return events_; }
  std::string refusal() const override { return refusal_; }

 private:
  ssize_t Moved(int result) {
    if (result > 0) return result;
    const int error = SSL_get_error(ssl_.get(), result);
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      events_ = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      return 0;
    }
    broken_ = error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
    return -1;
  }

  void Judge() {
    const Identity client = IdentityOfClient(ssl_.get());
    if (!client.known()) {
      refusal_ = "the certificate has no SPIFFE id and no DNS name\n";
    } else if (!roles_->current()->RolesOf(client).Grants(config::v1::ROLE_VIEWER)) {
      refusal_ = absl::StrCat(client.name(), " has not the role ROLE_VIEWER\n");
    }
  }

  const int fd_;
  const Ssl ssl_;
  const RoleStore* const roles_;
  short events_ = POLLIN;
  bool broken_ = false;
  std::string refusal_;
};

}  // namespace

std::unique_ptr<HttpStream> TlsHttp::Make(int fd) {
  std::shared_ptr<const TlsMaterial> now = tls_->current();
  if (now != given_) {
    context_ = ContextOf(*now);
    given_ = std::move(now);
    if (context_ == nullptr) Log(LogLevel::kError, "OpenSSL does not take the certificate", {});
  }
  Ssl ssl(context_ == nullptr ? nullptr : SSL_new(context_.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), fd) != 1) {
    ERR_clear_error();
    close(fd);
    return nullptr;
  }
  SSL_set_accept_state(ssl.get());
  return std::make_unique<TlsStream>(fd, std::move(ssl), roles_);
}

}  // namespace vuf
