// What becomes of reservations that nobody asks about any more.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/migration/incoming.h"
#include "server/migration/incoming_use.h"

namespace vuf {
namespace {

// Between two looks at what is due.
constexpr absl::Duration kLook = absl::Milliseconds(200);

}  // namespace

std::vector<std::string> Incoming::Due(absl::Time now) {
  std::vector<std::string> due;
  for (const auto& [name, held] : held_) {
    if (!held->busy && now >= std::max(held->lease_end, held->next_step)) due.push_back(name);
  }
  return due;
}

void Incoming::Tend() {
  while (true) {
    std::vector<std::string> due;
    {
      MutexLock lock(&mu_);
      if (stopping_) return;
      due = Due(parts_.clock->Now());
      if (due.empty()) changed_.WaitFor(&mu_, kLook);
    }
    for (const std::string& name : due) TendOne(name);
  }
}

void Incoming::TendOne(const std::string& name) {
  // Nobody has it, so this does not wait for long; otherwise it comes again.
  absl::StatusOr<std::unique_ptr<Use>> use = Take(name, "", parts_.clock->Now());
  if (!use.ok()) return;
  Held& held = (*use)->held();
  const absl::Time now = parts_.clock->Now();
  if (now < std::max(held.lease_end, held.next_step)) return;
  // Whatever comes of it, not again at once.
  held.next_step = now + options_.ask_every;
  const v1::Reservation& record = (*use)->record();
  const Evidence<std::string> boot_id = parts_.gatherer->BootId();
  if (boot_id.known() && record.destination_qemu().boot_id() != *boot_id.value) {
    const std::string why = "The host was restarted, which ended the destination QEMU.";
    (void)(record.state() == v1::Reservation::STATE_COMMITTED ? EndDone(**use, false, why)
                                                              : Release(**use, why, nullptr));
    return;
  }
  switch (record.state()) {
    case v1::Reservation::STATE_RESERVED:
      (void)Release(**use,
                    held.decided.has_value()
                        ? "The lease was not renewed: the source's agent is lost, or the way to it."
                        : "vufd was restarted before it had promised anything.",
                    nullptr);
      return;
    case v1::Reservation::STATE_PROMISED:
      return AskSource(**use);
    default:
      if (absl::Status finished = Finish(**use); !finished.ok()) {
        Log(LogLevel::kError, "a guest that belongs here does not run yet",
            {{"reservation", record.name()}, {"error", finished.ToString()}});
      }
  }
}

void Incoming::AskSource(Use& use) {
  const v1::Reservation& record = use.record();
  v1::QueryOutcomeRequest ask;
  ask.set_migration(record.migration());
  ask.set_reservation(record.name());
  const absl::StatusOr<v1::MigrationOutcome> outcome =
      parts_.peers->Query(record.source_agent(), ask, parts_.clock->Now() + options_.qmp_timeout);
  if (!outcome.ok()) {
    Log(LogLevel::kWarning, "the source's agent does not say what became of a migration",
        {{"reservation", record.name()},
         {"agent", record.source_agent()},
         {"error", outcome.status().ToString()}});
    return;
  }
  if (*outcome == v1::MIGRATION_OUTCOME_COMMITTED) (void)Finish(use);
  if (*outcome == v1::MIGRATION_OUTCOME_ABORTED) {
    (void)Release(use, "The source's agent says that the migration was not committed.", nullptr);
  }
}

}  // namespace vuf
