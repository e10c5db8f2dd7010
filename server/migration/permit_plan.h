// Which permits a migration needs: the right to one hand-over at every keeper that takes part.
#ifndef VUFD_SERVER_MIGRATION_PERMIT_PLAN_H_
#define VUFD_SERVER_MIGRATION_PERMIT_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/keeper/keeper.h"
#include "server/model/facts.h"
#include "server/model/verdict.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// One permit at one keeper.
struct PermitAt {
  // DeviceVerdict::device.
  std::string device;
  KeeperAddress keeper;
  // `ttl` is set when it is armed.
  KeeperPermit permit;
  // It is in force, for all that is known.
  bool armed = false;

  // The session does not leave this keeper by itself: its old driver must be shut out.
  bool outgoing() const { return permit.direction == KeeperPermit::Direction::kOutgoing; }
  // The destination's front-end is at this keeper.
  bool takes_over() const { return permit.mode == Mode::kStateless || !outgoing(); }
};

// One permit for each device of the source that a keeper serves: at one keeper when the session
// stays (STATELESS), at the source's and then at the destination's when it moves (STATEFUL). Every
// device has an id of its own, so that a stream that reaches another device's keeper is refused.
// INTERNAL: `verdict` cannot be the one that allows on these facts.
absl::StatusOr<std::vector<PermitAt>> PlanPermits(const Facts& decided, const Verdict& verdict,
                                                  const std::string& migration);
// No device moves but by a permit, of which the keeper sees to it that nobody but the front-ends
// that it names makes use.
bool EveryDeviceHasPermits(const VmFacts& source, const std::vector<PermitAt>& permits);
// The permits that a record names, as armed.
std::vector<PermitAt> PermitsOf(const v1::Migration& migration);
// What PermitsOf reads.
void RecordPermits(const std::vector<PermitAt>& permits, v1::Migration& migration);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_PERMIT_PLAN_H_
