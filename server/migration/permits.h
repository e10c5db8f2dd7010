// Arms, checks, fences and takes back the permits of one migration.
//
// A permit is armed before QEMU is told to migrate and taken back on every way to the source. Once
// the source has reported success the old drivers are fenced, before the commit is written: from
// the commit on the source may never have the session again, whoever tells it to run. On the way
// back a fence must be lifted before the source is resumed, or it would not get its rings back.
#ifndef VUFD_SERVER_MIGRATION_PERMITS_H_
#define VUFD_SERVER_MIGRATION_PERMITS_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/keeper/keeper.h"
#include "server/migration/permit_plan.h"
#include "server/model/facts.h"

namespace vuf {

// A sentence for every keeper at which `now` does not find its permit armed and unused. Pure.
std::vector<std::string> PermitsNotArmed(const std::vector<PermitAt>& permits, const Facts& now);

// Not thread-safe. Every call ends by its deadline.
class Permits {
 public:
  // `call_timeout` bounds one call to one keeper. Without `keepers` only an empty plan can be used.
  Permits(KeeperPort* keepers, const Clock* clock, absl::Duration call_timeout)
      : keepers_(keepers), clock_(clock), call_timeout_(call_timeout) {}

  absl::Status Use(std::vector<PermitAt> permits);
  const std::vector<PermitAt>& all() const { return permits_; }

  // In order, the first refusal ends it, in the keeper's words; DisarmAll then takes back what was
  // armed. `ttl` is cut to what a keeper accepts.
  absl::Status ArmAll(absl::Duration ttl);
  std::vector<std::string> NotArmed(const Facts& now) const {
    return PermitsNotArmed(permits_, now);
  }
  // OK when every keeper has taken part: saved at the source's, loaded at the destination's.
  absl::Status CheckLoaded();
  // OK when every keeper has issued its marker and nobody has presented it.
  absl::Status CheckSaved();
  // OK when no destination can have run: at no keeper was this permit used, and where it is not in
  // force any more (taken back, say) the session is where it was before.
  absl::Status CheckNeverUsed();
  // Names the destination of every permit: the connections of `vm`, the device of the same name.
  absl::Status NameDestination(const VmFacts& vm);
  // OK when no keeper has the source's connection any more. An error as well without any permit:
  // then nobody can tell.
  absl::Status CheckSourcesGone();
  // OK when every old driver is shut out, or its hand-over is done already. Tries again while a
  // keeper cannot be reached, until `limit`.
  absl::Status FenceAll(absl::Time limit);
  // A keeper may be fenced.
  bool fenced() const { return fenced_; }

  // Tries again while a keeper cannot be reached, until `limit`. Returns what went wrong, in words
  // with a leading space, or "". A permit that was used or could not be reached is named, with what
  // that means for the guest at the source.
  std::string DisarmAll(absl::Time limit);
  // For whoever has seen the destination run: "" when every keeper says by `limit` that the session
  // was handed over; otherwise words with a leading space, with what to do.
  std::string NotHandedOver(absl::Time limit);
  // For whoever leaves them as they are: which they are and how they are taken back, with a leading
  // space; or "".
  std::string LeftInForce() const;

 private:
  // Those in force with their keepers, separated by commas; or "".
  std::string InForce() const;
  // Asks every keeper; the first that cannot be asked, or fails the check, is the answer.
  absl::Status CheckEach(
      const std::function<absl::Status(const PermitAt&, const KeeperFacts&)>& check);
  // OK when every keeper is in the phase that `wanted` gives for it, under its permit.
  absl::Status CheckPhases(const std::function<KeeperFacts::Phase(const PermitAt&)>& wanted);
  absl::Status ArmOne(PermitAt& at, absl::Duration ttl);
  absl::Status FenceOne(const PermitAt& at, absl::Time deadline);
  // UNAVAILABLE or DEADLINE_EXCEEDED: try again. OK: not in force.
  absl::Status DisarmOne(PermitAt& at, absl::Time deadline);
  absl::Status CheckHandedOver(const PermitAt& at, absl::Time deadline);
  // `act` on each of `waiting` in turn, until none is waiting or `limit` has come. Returns why
  // those failed that did.
  std::vector<absl::Status> Insist(std::vector<PermitAt*> waiting, absl::Time limit,
                                   const std::function<absl::Status(PermitAt&, absl::Time)>& act);

  KeeperPort* const keepers_;
  const Clock* const clock_;
  const absl::Duration call_timeout_;
  std::vector<PermitAt> permits_;
  bool fenced_ = false;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_PERMITS_H_
