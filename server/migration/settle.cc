#include "server/migration/settle.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"
#include "server/migration/hand_over.h"
#include "server/migration/permits.h"
#include "server/migration/return_to_source.h"
#include "server/migration/run_remote.h"
#include "server/migration/side_settings.h"

namespace vuf {
namespace {

using State = v1::Migration::State;

class Settlement {
 public:
  Settlement(const RunParts& parts, v1::Migration migration, std::string source_socket)
      : parts_(parts),
        migration_(std::move(migration)),
        limit_(parts.clock->Now() + parts.settle_timeout),
        source_(parts.connector, parts.clock, parts.qmp_timeout, std::move(source_socket)),
        destination_(parts.connector, parts.clock, parts.qmp_timeout,
                     MonitorOf(migration_.destination())),
        permits_(parts.keepers, parts.clock, parts.qmp_timeout),
        remote_(RemoteOf(parts, migration_)) {}

  void Settle() {
    absl::Status pinned = Pin();
    if (pinned.ok()) pinned = permits_.Use(PermitsOf(migration_));
    switch (migration_.state()) {
      case v1::Migration::STATE_EVALUATING:
      case v1::Migration::STATE_PREPARING:
        return NotBegun(pinned.ok());
      case v1::Migration::STATE_COMMITTED:
        return pinned.ok() ? Committed() : Unclear(std::string(pinned.message()));
      default:
        return pinned.ok() ? Uncommitted() : Unpinned(pinned);
    }
  }

 private:
  // A monitor's path outlives its QEMU. What answers there now may be another VM, with a migration
  // of somebody else, so from here on only the processes of the record are talked to.
  absl::Status Pin() {
    const Evidence<std::string> boot_id = parts_.gatherer->BootId();
    std::vector<const v1::QemuProcess*> sides = {&migration_.source_qemu()};
    const bool there = remote_ == nullptr && (!sequential() || committed());
    if (there) sides.push_back(&migration_.destination_qemu());
    for (const v1::QemuProcess* side : sides) {
      if (side->pid() <= 0 || side->boot_id().empty()) {
        return absl::FailedPreconditionError("the record does not say which QEMUs took part");
      }
      if (!boot_id.known()) {
        return absl::FailedPreconditionError(
            absl::StrCat("the host's boot id is unknown: ", boot_id.detail));
      }
      if (side->boot_id() != *boot_id.value) {
        return absl::FailedPreconditionError(
            "the host was restarted since, which ended both QEMUs");
      }
    }
    source_.Expect(ProcessOf(migration_.source_qemu()));
    if (sides.size() > 1) destination_.Expect(ProcessOf(migration_.destination_qemu()));
    return absl::OkStatus();
  }

  bool sequential() const { return migration_.destination().has_sequential(); }
  bool committed() const { return migration_.state() == v1::Migration::STATE_COMMITTED; }

  static ProcessId ProcessOf(const v1::QemuProcess& side) {
    return {side.pid(), side.start_ticks()};
  }

  void Unpinned(const absl::Status& why) {
    End(v1::Migration::STATE_INTERRUPTED,
        absl::StrCat("vufd ended while the migration was under way, before its commit, and touches "
                     "nothing now, because ",
                     why.message(), ". Look at the source (", source_.socket(),
                     ") and the destination (", destination_.socket(),
                     ") before anything is resumed."));
  }

  void End(State state, const std::string& message) {
    parts_.ledger->End(migration_.name(), state, message);
  }

  // Left on, they would stop the guest for good in the next `migrate` of whoever does not know of
  // it, or leave its memory behind.
  static void RestoreSettings(Monitor& side, const v1::QemuProcess& recorded) {
    if (side.hypervisor() == nullptr && !side.Reconnect().ok()) return;
    // Refused while somebody else's migration is under way, who has set it for himself then.
    (void)side.Configure(FromProto(recorded.settings()));
  }

  void NotBegun(bool pinned) {
    if (pinned && migration_.state() == v1::Migration::STATE_PREPARING)
      RestoreSettings(source_, migration_.source_qemu());
    const std::optional<record::v1::SavedGuest> saved = parts_.saved_guests->Get(migration_.vm());
    End(v1::Migration::STATE_FAILED,
        absl::StrCat("vufd ended before the migration was begun: the guest stays ",
                     saved.has_value() ? absl::StrCat("in ", saved->state_file(), ".")
                                       : std::string("at the source."),
                     ReleasePermits(permits_, Return::Where::kSource, limit_), AbortThere()));
  }

  // It would find out by itself; told, it does so at once.
  std::string AbortThere(bool* guest_ran = nullptr) {
    if (remote_ == nullptr) return "";
    return AbortRemote(*remote_, parts_.clock->Now() + parts_.qmp_timeout, guest_ran);
  }

  void Uncommitted() {
    ReturnOptions options;
    options.limit = limit_;
    // Otherwise somebody may have resumed the destination while vufd was away.
    options.never_ran = [this] { return DestinationNeverRan(); };
    if (const std::string& before = migration_.source_qemu().run_state(); !before.empty()) {
      options.run_state = before;
    }
    options.before_resume = [this] { return permits_.DisarmAll(limit_); };
    options.destination_ran = [this] {
      bool guest_ran = false;
      (void)AbortThere(&guest_ran);
      return guest_ran ? "as its agent says" : "";
    };
    Monitor* const there = sequential() || remote_ != nullptr ? nullptr : &destination_;
    const Return back = ReturnToSource(source_, there, *parts_.clock, options);
    const std::string start = "vufd ended while the migration was under way, before its commit. ";
    const std::string permits = ReleasePermits(permits_, back.where, limit_);
    switch (back.where) {
      case Return::Where::kSource:
      case Return::Where::kSourceOther:
        RestoreSettings(source_, migration_.source_qemu());
        return End(v1::Migration::STATE_FAILED,
                   absl::StrCat(start, "What was left of it was cancelled at restart. ",
                                back.message, permits, ForgetFile(), AbortThere()));
      case Return::Where::kHandedOver:
        return End(v1::Migration::STATE_INTERRUPTED, absl::StrCat(start, HandedOver(), permits));
      case Return::Where::kDestination:
      case Return::Where::kUnknown:
        return End(v1::Migration::STATE_INTERRUPTED, absl::StrCat(start, back.message, permits));
    }
  }

  // A guest that runs has its devices started, so with the first of them its keeper's session would
  // have been handed over.
  bool DestinationNeverRan() {
    if (migration_.source_qemu().run_state().empty()) return false;
    // Its agent resumes it only when this journal says COMMITTED.
    if (remote_ != nullptr) return true;
    return !permits_.all().empty() && permits_.CheckNeverUsed().ok();
  }

  // Once the guest is not in it any more.
  std::string ForgetFile() {
    return sequential() ? ForgetSaved(*parts_.saved_guests, migration_.vm(),
                                      migration_.destination().sequential().state_file())
                        : "";
  }

  std::string HandedOver() const {
    return absl::StrCat(
        "The source (", source_.socket(),
        ") has handed over and is stopped; vufd did not start "
        "the destination (",
        destination_.socket(),
        "). Look whether the destination runs. If it "
        "does, the VM is there: never resume the source. If it is paused and its query-migrate "
        "says completed, `cont` it. If it is gone or failed, make sure that it is gone and `cont` "
        "the source. Never both.");
  }

  void Committed() {
    absl::StatusOr<Standing> there = destination_.WhereItStands(limit_);
    if (!there.ok()) return Unclear(there.status().ToString());
    const bool complete = there->migration.status == "completed";
    const bool stays_paused = migration_.message() == kStaysPaused;
    if (there->run_state == "running") return Succeeded(NotHandedOver());
    if (there->run_state != "paused" || !complete) {
      return Unclear(absl::StrCat("its migration is \"", there->migration.status,
                                  "\" and its run state \"", there->run_state, "\""));
    }
    // A commit whose write was reported as failed may be on the disk all the same; vufd then went
    // back to the source. So only a source that is seen stopped allows a `cont` here.
    if (const absl::Status out = SourceIsOut(); !out.ok()) {
      return Unclear(absl::StrCat("it is paused, but ", out.message()));
    }
    // Done before the commit. Once more, for the source is about to lose its last chance.
    if (const absl::Status fenced = permits_.FenceAll(limit_); !fenced.ok()) {
      return Unclear(absl::StrCat("it is paused, and ", fenced.message()));
    }
    if (stays_paused) return Succeeded(kStaysPaused);
    const absl::Status started = StartDestination(destination_, *parts_.clock, limit_);
    if (!started.ok()) {
      return End(v1::Migration::STATE_INTERRUPTED, NotStarted(destination_.socket(), started));
    }
    Succeeded(NotHandedOver());
  }

  std::string NotHandedOver() {
    return permits_.NotHandedOver(parts_.clock->Now() + parts_.qmp_timeout);
  }

  // OK: it can not run the guest any more.
  absl::Status SourceIsOut() {
    if (sequential()) return permits_.CheckSourcesGone();
    if (SourceIsGone()) return absl::OkStatus();
    absl::StatusOr<Standing> here = SourceStanding();
    if (!here.ok()) {
      return absl::UnavailableError(absl::StrCat("the source: ", here.status().message()));
    }
    if (here->run_state == "postmigrate") return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("the source's run state is ", here->run_state));
  }

  // Its monitor and every keeper say so. Had it run on before, the keepers would not have the
  // marker any more that the fence asks for.
  bool SourceIsGone() {
    const absl::Status monitor = source_.Reconnect();
    const bool nobody = absl::IsNotFound(monitor) || absl::IsFailedPrecondition(monitor);
    return (nobody || absl::IsAborted(monitor)) && permits_.CheckSourcesGone().ok();
  }

  absl::StatusOr<Standing> SourceStanding() {
    // The registry was changed already: which monitor was the source's is not known any more.
    if (source_.socket().empty() || source_.socket() == destination_.socket()) {
      return absl::NotFoundError("its monitor is not known any more");
    }
    return source_.WhereItStands(limit_);
  }

  void Unclear(const std::string& what) {
    End(v1::Migration::STATE_INTERRUPTED,
        absl::StrCat("vufd ended after the commit, so the VM belongs to the destination (",
                     destination_.socket(), "), which could not be seen running: ", what,
                     ". Look at it and resume the guest there. Do not resume the source unless the "
                     "destination QEMU is gone and never ran the guest."));
  }

  void Succeeded(const std::string& prefix) {
    ShowOutcome(*parts_.ledger, migration_.name(), source_);
    std::string message = prefix;
    absl::StrAppend(&message, RecordNewMonitor(*parts_.registry, *parts_.clock, migration_));
    RestoreSettings(destination_, migration_.destination_qemu());
    absl::StrAppend(&message, ForgetFile());
    const bool quit = migration_.source_disposition() == v1::SOURCE_DISPOSITION_QUIT;
    // Only one that is known to be the stopped source.
    if (quit && SourceStandsStopped()) absl::StrAppend(&message, QuitSource(source_));
    End(v1::Migration::STATE_SUCCEEDED, message);
  }

  bool SourceStandsStopped() {
    absl::StatusOr<Standing> here = SourceStanding();
    return here.ok() && here->run_state == "postmigrate";
  }

  const RunParts& parts_;
  const v1::Migration migration_;
  const absl::Time limit_;
  Monitor source_;
  Monitor destination_;
  Permits permits_;
  // Null: the destination is on this host.
  const std::unique_ptr<Remote> remote_;
};

}  // namespace

void SettleUnfinished(const RunParts& parts) {
  std::vector<std::thread> threads;
  const std::shared_ptr<const Registry::Snapshot> registry = parts.registry->snapshot();
  for (const v1::Migration& migration : parts.ledger->Unfinished()) {
    if (migration.state() == v1::Migration::STATE_AWAITING_DESTINATION ||
        migration.state() == v1::Migration::STATE_QUEUED) {
      continue;
    }
    // Goes on by itself, for as long as it takes (run_remote.h).
    if (IsCommittedElsewhere(migration)) continue;
    // The registry may name another monitor by now, or none.
    std::string socket = migration.source_qemu().qmp_socket();
    const auto vm = registry->vms.find(migration.vm());
    if (socket.empty() && vm != registry->vms.end()) socket = vm->second.qmp_socket();
    threads.emplace_back(
        [&parts, migration, socket] { Settlement(parts, migration, socket).Settle(); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace vuf
