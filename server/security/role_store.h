// The role bindings in force, replaced while the agent runs.
#ifndef VUFD_SERVER_SECURITY_ROLE_STORE_H_
#define VUFD_SERVER_SECURITY_ROLE_STORE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/security/live_files.h"
#include "server/security/roles.h"

namespace vuf {

class RoleStore {
 public:
  // An empty path: RoleBindings::Default, for good. `refused` hears of a file that is not used,
  // while what was in force stays so.
  static absl::StatusOr<std::unique_ptr<RoleStore>> Open(const std::string& path,
                                                         LiveFiles::OnFailure refused);

  // Never null. Thread-safe.
  std::shared_ptr<const RoleBindings> current() const;
  // Looks at the file. One thread at a time.
  void Poll() { files_.Poll(); }

 private:
  RoleStore(const std::string& path, LiveFiles::OnFailure refused);
  absl::Status Take(const std::vector<std::string>& contents);

  const std::string path_;
  LiveFiles files_;
  mutable Mutex mu_;
  std::shared_ptr<const RoleBindings> current_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_ROLE_STORE_H_
