// The certificate, key and CAs in use, replaced while the agent runs.
#ifndef VUFD_SERVER_SECURITY_TLS_STORE_H_
#define VUFD_SERVER_SECURITY_TLS_STORE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/security/live_files.h"
#include "server/security/tls_material.h"

namespace vuf {

struct TlsPaths {
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
};

class TlsStore {
 public:
  struct Events {
    // New material is in use; also the first.
    std::function<void(const TlsMaterial&)> taken = [](const TlsMaterial&) {};
    // Other files were there and are not used.
    std::function<void(const absl::Status&)> refused = [](const absl::Status&) {};
  };

  // The error names field, file and reason.
  static absl::StatusOr<std::unique_ptr<TlsStore>> Open(const TlsPaths& paths, const Clock* clock,
                                                        Events events);

  // The same object until other files have been taken over. Never null. Thread-safe.
  std::shared_ptr<const TlsMaterial> current() const;
  // Looks at the files. One thread at a time.
  void Poll() { files_.Poll(); }

 private:
  TlsStore(const TlsPaths& paths, const Clock* clock, Events events);
  absl::Status Take(const std::vector<std::string>& contents);

  const TlsPaths paths_;
  const Clock* const clock_;
  const Events events_;
  LiveFiles files_;
  mutable Mutex mu_;
  std::shared_ptr<const TlsMaterial> current_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_TLS_STORE_H_
