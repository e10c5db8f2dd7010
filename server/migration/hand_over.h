// What follows a commit: the destination runs, and the source never again.
#ifndef VUFD_SERVER_MIGRATION_HAND_OVER_H_
#define VUFD_SERVER_MIGRATION_HAND_OVER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/migration/ledger.h"
#include "server/migration/monitor.h"
#include "server/migration/saved_guests.h"
#include "server/registry/registry.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// The message of a migration whose guest was paused when it began, from its commit on. Whoever
// finishes such a migration after a restart must not resume it.
inline constexpr char kStaysPaused[] =
    "The guest was paused before the migration and is paused at the destination.";

// `cont` until the destination was seen running, across lost connections; only with a durable
// commit. A run state that only the guest or another client can have caused ends it with an error.
// `seen_paused`: just now, so that the first `cont` goes out without another question.
absl::Status StartDestination(Monitor& destination, const Clock& clock, absl::Time limit,
                              bool seen_paused = false);
// The message for when StartDestination failed.
std::string NotStarted(const std::string& destination_socket, const absl::Status& why);

// What the source says of the migration that it has completed, for whoever looks at the record.
// After the commit: it costs time, and nothing depends on it.
void ShowOutcome(Ledger& ledger, const std::string& migration, Monitor& source);
// These return what went wrong, in words with a leading space, or "".
std::string RecordNewMonitor(Registry& registry, const Clock& clock,
                             const v1::Migration& migration);
std::string QuitSource(Monitor& source);
// Of a guest that is no longer in its state file: the record of it, and the file.
std::string ForgetSaved(SavedGuests& saved, const std::string& vm, const std::string& state_file);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_HAND_OVER_H_
