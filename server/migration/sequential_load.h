// The second half of a sequential migration: the guest is in its state file, the source has quit or
// is about to, and a destination that appears is given the guest.
//
//   AWAITING_DESTINATION   source: told to quit until it is gone
//       | a QEMU answers at the destination's socket
//       | judged against what was recorded of the source; refused: it is left alone
//       | permits renewed, for its connections only; written down; it loads the file
//       | it stands paused, every keeper has its marker back; fenced
//   COMMITTED
//       | cont
//   SUCCEEDED              the file is removed
//
// A destination that fails before COMMITTED is told to quit, and the next one may come: the file
// and the keepers' sessions are as they were. Why there are never two running copies: a keeper lets
// one front-end in, and a marker is good once. Why there is one: nothing ends the wait but the
// time-out, and after that the same request goes on where it was.
#ifndef VUFD_SERVER_MIGRATION_SEQUENTIAL_LOAD_H_
#define VUFD_SERVER_MIGRATION_SEQUENTIAL_LOAD_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/migration/gather.h"
#include "server/migration/monitor.h"
#include "server/migration/permits.h"
#include "server/migration/run.h"
#include "server/model/facts.h"
#include "vuf/record/v1/saved_guest.pb.h"

namespace vuf {

class SequentialLoad {
 public:
  // `migration` is AWAITING_DESTINATION, and `guest` what was saved.
  SequentialLoad(const RunParts& parts, v1::Migration migration, record::v1::SavedGuest guest);
  // Returns when the migration has ended, or vufd stops: then it is still AWAITING_DESTINATION.
  void Go();

 private:
  enum class Source { kGone, kThere, kRuns };
  Source ReleaseSource();
  void SourceRuns();
  // OK: committed to the destination. NOT_FOUND: there is none.
  absl::Status TryOnce();
  // The same for a destination that has begun to load, of an earlier run of vufd, say.
  absl::Status GoOnWith(const ProcessId& process);
  // Commits to a destination that has loaded or runs; any other is told to quit.
  absl::Status Conclude(const absl::Status& loaded);
  absl::Status Commit();
  absl::Status Judge(const Facts& facts);
  // One that goes on being refused for the same reasons is written down once.
  absl::Status RecordJudgement(const Facts& facts, const Verdict& verdict);
  absl::Status Load(const Facts& facts);
  absl::Status Prepare(const Facts& facts);
  absl::Status Configure(const VmFacts& destination);
  absl::Status WriteDestination(const Facts& facts);
  absl::Status Confirm();
  void HandOver();
  void ShowWaiting(const absl::Status& why);
  void TimedOut(const absl::Status& why);
  // False: vufd is stopping.
  bool Pause(absl::Duration how_long) const;
  void End(v1::Migration::State state, const std::string& message);
  const std::string& name() const { return migration_.name(); }

  const RunParts parts_;
  const v1::Migration migration_;
  const record::v1::SavedGuest guest_;
  const absl::Time deadline_;
  GatherRequest gather_;
  VmFacts recorded_;
  Monitor source_;
  Monitor destination_;
  Permits permits_;
  std::optional<MigrationSettings> destination_before_;
  // The destination that may have begun to load.
  std::optional<ProcessId> began_;
  std::string shown_;
  // Why the last destination was refused, and the last verdict.
  std::string refused_;
  v1::Verdict judgement_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_SEQUENTIAL_LOAD_H_
