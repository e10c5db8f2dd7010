#include "server/security/tls_store.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vuf {

TlsStore::TlsStore(const TlsPaths& paths, const Clock* clock, Events events)
    : paths_(paths),
      clock_(clock),
      events_(std::move(events)),
      files_(
          {{"tls.certificate_file", paths.certificate_file},
           {"tls.private_key_file", paths.private_key_file},
           {"tls.client_ca_file", paths.client_ca_file}},
          [this](const std::vector<std::string>& contents) { return Take(contents); },
          events_.refused) {}

absl::StatusOr<std::unique_ptr<TlsStore>> TlsStore::Open(const TlsPaths& paths, const Clock* clock,
                                                         Events events) {
  std::unique_ptr<TlsStore> store(new TlsStore(paths, clock, std::move(events)));
  if (absl::Status loaded = store->files_.Load(); !loaded.ok()) return loaded;
  return store;
}

std::shared_ptr<const TlsMaterial> TlsStore::current() const {
  MutexLock lock(&mu_);
  return current_;
}

absl::Status TlsStore::Take(const std::vector<std::string>& contents) {
  absl::StatusOr<TlsMaterial> material =
      CheckTlsMaterial({contents[0], contents[1], contents[2]}, clock_->Now());
  if (!material.ok()) {
    return absl::Status(material.status().code(),
                        absl::StrCat(material.status().message(), " (certificate \"",
                                     paths_.certificate_file, "\", key \"", paths_.private_key_file,
                                     "\", CAs \"", paths_.client_ca_file, "\")"));
  }
  const auto taken = std::make_shared<const TlsMaterial>(*std::move(material));
  {
    MutexLock lock(&mu_);
    current_ = taken;
  }
  events_.taken(*taken);
  return absl::OkStatus();
}

}  // namespace vuf
