// One migration, from its evaluation to its end, as a sequence of steps on one thread.
#ifndef VUFD_SERVER_MIGRATION_RUN_H_
#define VUFD_SERVER_MIGRATION_RUN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/decisions/decision_log.h"
#include "server/migration/gather.h"
#include "server/migration/ledger.h"
#include "server/migration/monitor.h"
#include "server/migration/permits.h"
#include "server/migration/remote.h"
#include "server/migration/return_to_source.h"
#include "server/migration/saved_guests.h"
#include "server/migration/state_file.h"
#include "server/model/facts.h"
#include "server/model/verdict.h"
#include "server/registry/registry.h"

namespace vuf {

// What every migration works with.
struct RunParts {
  Gatherer* gatherer;
  HypervisorConnector* connector;
  Registry* registry;
  Ledger* ledger;
  const Clock* clock;
  std::function<Verdict(const Facts&)> evaluate;
  absl::Duration qmp_timeout;
  // How long to go on trying to bring the guest to the one side where it belongs.
  absl::Duration settle_timeout;
  absl::Duration default_timeout;
  // Without progress while memory is copied, and at pre-switchover before migrate-continue.
  absl::Duration stuck_timeout;
  absl::Duration switchover_timeout;
  // May be null where no back-end is behind a keeper.
  KeeperPort* keepers;
  SavedGuests* saved_guests;
  // Null: nothing is migrated.
  DecisionLog* decisions;
  // Null: no migration to another host. With the address where those reach this agent.
  PeerPort* peers;
  std::string own_address;
};

// What is gathered for a migration as it was accepted, and when its time is up.
GatherRequest RunRequest(const v1::Migration& migration, const std::string& source_socket);
absl::Time DeadlineOf(const v1::Migration& migration, absl::Duration default_timeout);
void FillProcess(const VmFacts& vm, const Evidence<std::string>& boot_id, v1::QemuProcess& out);

class Run {
 public:
  Run(const RunParts& parts, v1::Migration migration, const std::string& source_socket);
  // Returns when the migration has ended or, a sequential one, when the guest is in its file and
  // the migration AWAITING_DESTINATION: SequentialLoad goes on from there.
  void Go();

 private:
  // The steps. Any error before the commit leads to GoBack; nothing after it does.
  absl::Status Evaluate();
  // Policies: a place under every limit, the time-out, what to do when it does not converge.
  void TakePlaces();
  void Tighten();
  absl::Status Converge();
  // An error when QEMU has reported nothing new for too long.
  absl::Status CheckProgress(const MigrationInfo& info);
  absl::Status Prepare();
  absl::Status Transfer();
  absl::Status SwitchOver();
  void ShowSwitchOver();
  absl::Status Confirm();
  absl::Status ConfirmHere();
  absl::Status ConfirmDestination(const std::function<absl::Status()>& check_stop);
  absl::Status Fence();
  absl::Status Commit();
  void HandOver();
  // To whoever looks after it, or gone. Returns what went wrong, in words, or "".
  std::string LeaveSource();
  // OK: the destination may be committed to although the source is gone.
  absl::Status GoOnWithoutSource();
  // In words, or "".
  std::string DestinationsError();
  void GoBack(const absl::Status& why);

  // What is changed for the migration, and what was there before it.
  MigrationSettings SourceSettings() const;
  MigrationSettings DestinationSettings() const;
  void PrepareThrottle(MigrationSettings& wanted) const;
  absl::Status RememberSettings();
  absl::Status WritePrepared();
  absl::Status ConfigureSource();
  absl::Status ConfigureDestination();
  absl::Status CheckBlockedReasons();
  absl::Status ArmPermits();
  absl::Status ConnectStream();
  // CANCELLED when somebody asked for it, DEADLINE_EXCEEDED when the migration's time is up.
  absl::Status CheckStop() const;
  // Until QEMU reports `wanted` at the source; anything final instead is an error with its words.
  absl::Status AwaitSource(absl::string_view wanted);
  // An error when a registered endpoint has changed hands since the decision.
  absl::Status CheckEndpoints();
  // Whoever is not who was judged would be refused by a keeper itself (docs/adr/0021).
  bool KeepersWatch() const;
  // Now and then, so that little or nothing is left to look at when the guest stands still.
  absl::Status LookWhileCopying();
  absl::Duration SinceLastLook() const;
  // What has changed since the decision. The guest stands still meanwhile.
  absl::StatusOr<std::vector<std::string>> LookAtPreSwitchover();
  absl::Status NotSwitchedOver(const std::vector<std::string>& changes) const;
  Facts Look(absl::Time limit);
  std::vector<std::string> Changes(const Facts& now) const;
  absl::Status SourceEnded(const std::string& status);
  // An error when somebody else stopped or resumed the guest since the decision.
  absl::Status CheckGuest();
  // The sequential form, from the source's `completed` on (run_sequential.cc).
  absl::Status SaveToFile();
  absl::Status ConfirmSaved();
  absl::Status CommitToFile();
  std::string RemoveStateFile(Return::Where where);
  // To another host (run_remote.cc).
  absl::Status ReserveThere();
  absl::Status OpenStreamThere();
  // What its agent has to say at pre-switchover, while this one looks at its own side.
  std::vector<std::string> RecheckThere();
  // Not empty: the guest ran there although nobody committed to it.
  std::string RanThere(absl::Time limit);
  bool sequential() const { return gather_.request.sequential; }
  Return BackAtSource();
  const std::string& name() const { return migration_.name(); }
  const EffectivePolicy& policy() const { return *decided_.policy.value; }
  bool guest_was_running() const { return decided_.source.run_state.value == "running"; }

  const RunParts parts_;
  // As it was accepted.
  const v1::Migration migration_;
  absl::Duration timeout_;
  absl::Time deadline_;
  // The next convergence step, counted from the beginning of the transfer.
  size_t next_step_ = 0;
  absl::Time transfer_begun_ = absl::InfiniteFuture();
  // The last news of it, and when.
  MigrationInfo news_;
  absl::Time news_at_ = absl::InfiniteFuture();
  GatherRequest gather_;
  Monitor source_;
  Monitor destination_;
  Permits permits_;
  // What the verdict was given on.
  Facts decided_;
  Verdict verdict_;
  // The last look after the decision's.
  std::optional<Facts> seen_;
  bool refused_ = false;
  // The registry's, when its endpoints were last compared.
  uint64_t revision_ = 0;
  std::optional<MigrationSettings> source_before_;
  std::optional<MigrationSettings> destination_before_;
  // The destination's one chance to receive has been used.
  bool incoming_ = false;
  // QEMU may have begun, for all that is known.
  bool outgoing_ = false;
  // Sequential only, from the moment it is made.
  std::optional<StateFile> state_file_;
  // Null: the destination is on this host.
  const std::unique_ptr<Remote> remote_;
  // Of its agent's verdict.
  std::string peer_fingerprint_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_RUN_H_
