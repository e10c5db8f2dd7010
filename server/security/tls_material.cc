#include "server/security/tls_material.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/security/openssl_ptr.h"

namespace vuf {
namespace {

constexpr char kCertificate[] = "tls.certificate_file";
constexpr char kKey[] = "tls.private_key_file";
constexpr char kCa[] = "tls.client_ca_file";

using openssl::Bio;
using openssl::Certificate;
using openssl::Key;

absl::Status Bad(absl::string_view field, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(field, ": ", why));
}

Bio Reader(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Whether the last error only says that no further PEM block begins.
bool AtEnd() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

absl::StatusOr<std::vector<Certificate>> ParseCertificates(absl::string_view field,
                                                           const std::string& pem) {
  ERR_clear_error();
  const Bio bio = Reader(pem);
  std::vector<Certificate> certificates;
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  if (!AtEnd()) {
    return Bad(field, absl::StrCat("certificate ", certificates.size() + 1, " cannot be parsed"));
  }
  if (certificates.empty()) return Bad(field, "has no certificate in PEM form");
  // Half a beginning would look like the end.
  if (!absl::EndsWith(absl::StripTrailingAsciiWhitespace(pem), "CERTIFICATE-----")) {
    return Bad(field, "does not end with the end of a certificate");
  }
  return certificates;
}

absl::StatusOr<Key> ParseKey(const std::string& pem) {
  const Bio bio = Reader(pem);
  // Without a callback OpenSSL would ask the terminal for the passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) return Bad(kKey, "has no unencrypted private key in PEM form");
  return key;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

// When it ends.
absl::StatusOr<absl::Time> CheckValidity(const std::vector<Certificate>& chain, absl::Time now) {
  absl::Time ends = absl::InfiniteFuture();
  for (size_t i = 0; i < chain.size(); ++i) {
    const absl::Time first = TimeOf(X509_get0_notBefore(chain[i].get()));
    const absl::Time last = TimeOf(X509_get0_notAfter(chain[i].get()));
    if (now < first) {
      return Bad(kCertificate, absl::StrCat("certificate ", i + 1, " is not valid before ",
                                            absl::FormatTime(first, absl::UTCTimeZone())));
    }
    if (now >= last) {
      return Bad(kCertificate, absl::StrCat("certificate ", i + 1, " is expired since ",
                                            absl::FormatTime(last, absl::UTCTimeZone())));
    }
    ends = std::min(ends, last);
  }
  return ends;
}

}  // namespace

absl::StatusOr<TlsMaterial> CheckTlsMaterial(TlsMaterial material, absl::Time now) {
  const absl::StatusOr<std::vector<Certificate>> chain =
      ParseCertificates(kCertificate, material.certificate_chain);
  if (!chain.ok()) return chain.status();
  const absl::StatusOr<absl::Time> ends = CheckValidity(*chain, now);
  if (!ends.ok()) return ends.status();
  const absl::StatusOr<Key> key = ParseKey(material.private_key);
  if (!key.ok()) return key.status();
  const bool matches = X509_check_private_key(chain->front().get(), key->get()) == 1;
  ERR_clear_error();
  if (!matches) {
    return Bad(kKey, absl::StrCat("is not the key of the first certificate in ", kCertificate));
  }
  const auto ca = ParseCertificates(kCa, material.ca);
  if (!ca.ok()) return ca.status();
  material.not_after = *ends;
  return material;
}

}  // namespace vuf
