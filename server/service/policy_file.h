// Migration policies from a file, beside those that come by the API.
#ifndef VUFD_SERVER_SERVICE_POLICY_FILE_H_
#define VUFD_SERVER_SERVICE_POLICY_FILE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/registry/registry.h"
#include "server/security/live_files.h"
#include "vuf/v1/policy.pb.h"

namespace vuf {

// The text of a vuf.v1.MigrationPolicies. The error lists everything that is wrong with it.
absl::StatusOr<std::vector<v1::MigrationPolicy>> ParsePolicies(absl::string_view text);

// Whether the file could be taken over at a start, as far as can be seen without the registry.
absl::Status CheckPolicyFile(const std::string& path);

// Looks at the file again and again, and takes it over as a whole: its policies are all in force,
// none that was in it before is, and no other is touched.
class PolicyFile {
 public:
  struct Events {
    // SHA-256 of the text that is in force now.
    std::function<void(const std::string& digest)> taken;
    // Contents that are not, once for each that is new; what was taken last stays in force.
    LiveFiles::OnFailure refused;
  };
  // An empty `path`: there is no file, and what came from one before is taken out. A bad file is an
  // error unless policies of an earlier one are there, which then stay, over restarts too.
  static absl::StatusOr<std::unique_ptr<PolicyFile>> Open(const std::string& path,
                                                          Registry* registry, const Clock* clock,
                                                          Events events);
  void Poll();

 private:
  PolicyFile(const std::string& path, Registry* registry, const Clock* clock, Events events);
  absl::Status Take(const std::vector<std::string>& contents);

  const std::string path_;
  Registry* const registry_;
  const Clock* const clock_;
  const Events events_;
  LiveFiles files_;
  // The file is good but the registry did not take it: the disk is full, or an API's policy has the
  // same name. That may pass without a change of the file.
  bool try_again_ = false;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_POLICY_FILE_H_
