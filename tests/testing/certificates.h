// Certificates for tests, made with OpenSSL when they are needed.
#ifndef VUFD_TESTS_TESTING_CERTIFICATES_H_
#define VUFD_TESTS_TESTING_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace vuf {

// PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

class TestCa {
 public:
  explicit TestCa(const std::string& name);

  struct Options {
    // OpenSSL's form: "URI:spiffe://test/a,DNS:localhost". Empty: none.
    std::string alternative_names = {};
    std::string common_name = "nobody";
    // From now.
    absl::Duration begins = -absl::Hours(1);
    absl::Duration ends = absl::Hours(1);
  };
  TestCertificate Issue(const Options& options) const;
  // Of an agent at localhost.
  TestCertificate IssueAgent() const { return Issue({"DNS:localhost"}); }
  // Of a client that is called so.
  TestCertificate IssueClient(const std::string& spiffe_id) const {
    return Issue({"URI:" + spiffe_id});
  }
  std::string certificate() const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> certificate_;
};

}  // namespace vuf

#endif  // VUFD_TESTS_TESTING_CERTIFICATES_H_
