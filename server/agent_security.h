// Who may call the agent: certificates, roles and limits, as the configuration says.
#ifndef VUFD_SERVER_AGENT_SECURITY_H_
#define VUFD_SERVER_AGENT_SECURITY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/metrics/metrics.h"
#include "server/security/gate.h"
#include "server/security/limiter.h"
#include "server/security/live_files.h"
#include "server/security/peer_channels.h"
#include "server/security/role_store.h"
#include "server/security/tls_store.h"

namespace vuf {

class AgentSecurity {
 public:
  // The error names the field, the file and what is wrong with it. `clock` and `metrics` must
  // outlive the object.
  static absl::StatusOr<std::unique_ptr<AgentSecurity>> Open(const Config& config,
                                                             const Clock* clock, Metrics* metrics);

  const RoleStore* roles() const { return roles_.get(); }
  const Gate* gate() const { return gate_.get(); }
  // Null: no TCP.
  const TlsStore* tls() const { return tls_.get(); }
  PeerChannels* peers() { return peers_.get(); }

 private:
  AgentSecurity() = default;

  std::unique_ptr<RoleStore> roles_;
  std::unique_ptr<TlsStore> tls_;
  std::unique_ptr<Limiter> limiter_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<PeerChannels> peers_;
  // The last: it looks at the others until it is gone.
  std::unique_ptr<Poller> poller_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_AGENT_SECURITY_H_
