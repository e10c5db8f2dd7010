// What a migration to another host does otherwise than one on this host.
#ifndef VUFD_SERVER_MIGRATION_RUN_REMOTE_H_
#define VUFD_SERVER_MIGRATION_RUN_REMOTE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/migration/monitor.h"
#include "server/migration/remote.h"
#include "server/migration/run.h"

namespace vuf {

// Null: the migration's destination is on this host.
std::unique_ptr<Remote> RemoteOf(const RunParts& parts, const v1::Migration& migration);

// The destination's agent is still to be told.
bool IsCommittedElsewhere(const v1::Migration& migration);

// Takes the reservation back. Returns what a person must know, in words with a leading space, or
// ""; `guest_ran` is set when the guest runs there although nobody committed to it.
std::string AbortRemote(Remote& remote, absl::Time deadline, bool* guest_ran);

// From COMMITTED on: the destination's agent is told until it has answered, whatever that takes.
// Returns without an end only when vufd stops; the next start goes on.
void FinishRemote(const RunParts& parts, const v1::Migration& migration, Monitor& source,
                  Remote& remote, std::optional<MigrationSettings> source_before);

// The same after a restart, of which nothing but `migration` is known.
void ResumeRemote(const RunParts& parts, const v1::Migration& migration);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_RUN_REMOTE_H_
