#include "tests/testing/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdlib>

// LeakSanitizer's own hook. gRPC's resolver, which tests of certificates need for a name that
// certificates can hold, keeps the last name that it looked up.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares"; }

namespace vuf {
namespace {

// A test without its certificates can do nothing sensible.
void Require(bool good) {
  if (!good) std::abort();
}

template <typename Write>
std::string Pem(const Write& write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  Require(write(bio) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

std::string CertificatePem(X509* certificate) {
  return Pem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::shared_ptr<EVP_PKEY> NewKey() {
  std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  Require(key != nullptr);
  return key;
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  Require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

std::shared_ptr<X509> Unsigned(EVP_PKEY* key, const std::string& name, absl::Duration begins,
                               absl::Duration ends) {
  static std::atomic<long> serial = 1;
  std::shared_ptr<X509> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), absl::ToInt64Seconds(begins));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), absl::ToInt64Seconds(ends));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

}  // namespace

TestCa::TestCa(const std::string& name)
    : key_(NewKey()), certificate_(Unsigned(key_.get(), name, -absl::Hours(48), absl::Hours(48))) {
  X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
  AddExtension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  Require(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
}

TestCertificate TestCa::Issue(const Options& options) const {
  const std::shared_ptr<EVP_PKEY> key = NewKey();
  const std::shared_ptr<X509> certificate =
      Unsigned(key.get(), options.common_name, options.begins, options.ends);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
  if (!options.alternative_names.empty()) {
    AddExtension(certificate.get(), NID_subject_alt_name, options.alternative_names);
  }
  Require(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  return {CertificatePem(certificate.get()), Pem([&key](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

std::string TestCa::certificate() const { return CertificatePem(certificate_.get()); }

}  // namespace vuf
