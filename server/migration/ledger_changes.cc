// How a migration in the ledger changes until it has ended.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/base/migration_state.h"
#include "server/convert/convert.h"
#include "server/migration/ledger.h"
#include "server/migration/request_record.h"
#include "server/migration/transitions.h"

namespace vuf {
namespace {

std::string StateName(v1::Migration::State state) {
  return std::string(absl::StripPrefix(v1::Migration::State_Name(state), "STATE_"));
}

// An error is a defect of vufd, and before the commit takes the guest back to the source. A step to
// an end is only logged: a migration without one would keep its VM for good.
absl::Status CheckTransition(const v1::Migration& now, v1::Migration::State next) {
  if (now.state() == next || FindTransition(now.state(), next) != nullptr) return absl::OkStatus();
  Log(LogLevel::kError, "a defect of vufd: no such transition",
      {{"migration", now.name()}, {"from", StateName(now.state())}, {"to", StateName(next)}});
  if (IsFinal(next) && !IsFinal(now.state())) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("a defect of vufd: there is no transition from ",
                                          StateName(now.state()), " to ", StateName(next)));
}

}  // namespace

std::vector<std::string> Ledger::BeyondHistory() const {
  const size_t ended = entries_.size() - running_.size() + ending_.size();
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (ended - names.size() <= limits_.history) break;
    if (IsFinal(entry.record.state())) names.push_back(name);
  }
  return names;
}

std::vector<Change> Ledger::ChangesFor(const v1::Migration& next) const {
  std::vector<Change> changes = {{Table::kMigrations, next.name(), next.SerializeAsString()}};
  const std::vector<std::string> old = BeyondHistory();
  const std::set<std::string> forgotten(old.begin(), old.end());
  for (const std::string& name : old) changes.push_back({Table::kMigrations, name, std::nullopt});
  for (const auto& [request_id, request] : requests_) {
    if (forgotten.count(request.migration) > 0) changes.push_back(RequestDeletion(request_id));
  }
  return changes;
}

void Ledger::Forget(const std::string& name) {
  entries_.erase(name);
  for (auto it = requests_.begin(); it != requests_.end();) {
    it = it->second.migration == name ? requests_.erase(it) : std::next(it);
  }
}

absl::Status Ledger::Write(const v1::Migration& next) {
  std::vector<Change> changes;
  {
    MutexLock lock(&mu_);
    if (IsFinal(next.state())) ending_.insert(next.name());
    changes = ChangesFor(next);
  }
  absl::Status written = store_->Write(changes);
  MutexLock lock(&mu_);
  if (!written.ok()) {
    ending_.erase(next.name());
    return written;
  }
  for (const Change& change : changes) {
    if (change.table == Table::kMigrations && !change.value.has_value()) Forget(change.key);
  }
  return absl::OkStatus();
}

// Cancelled meanwhile: stays visible until the migration's thread has seen it.
Ledger::State Ledger::Visible(const Entry& entry, State next) {
  const State now = entry.record.state();
  return now == v1::Migration::STATE_CANCELLING && !IsFinal(next) ? now : next;
}

void Ledger::Publish(v1::Migration next) {
  const State wanted = next.state();
  bool state_changed = false;
  {
    MutexLock lock(&mu_);
    const Entry& entry = entries_.at(next.name());
    next.set_state(Visible(entry, wanted));
    state_changed = next.state() != entry.record.state();
  }
  // Before anybody sees it: who reads a state and then the metrics must find it there.
  if (state_changed && observer_) observer_(next);
  {
    MutexLock lock(&mu_);
    Entry& entry = entries_.at(next.name());
    next.set_state(Visible(entry, wanted));
    if (IsFinal(next.state())) {
      running_.erase(next.name());
      ending_.erase(next.name());
    }
    entry.record = std::move(next);
  }
  subscribers_.Notify();
}

absl::Status Ledger::Advance(const std::string& name, State state, const Edit& edit) {
  v1::Migration next;
  {
    MutexLock lock(&mu_);
    const Entry& entry = entries_.at(name);
    if (entry.stop != Stop::kNone && !entry.committing && !IsFinal(state)) {
      return absl::CancelledError("the migration was asked to stop");
    }
    next = entry.record;
    // Two steps: a Cancel during the write takes the one between.
    next.set_revision(next.revision() + 2);
  }
  if (absl::Status known = CheckTransition(next, state); !known.ok()) return known;
  next.set_state(state);
  if (edit) edit(next);
  if (absl::Status written = Write(next); !written.ok()) return written;
  Publish(std::move(next));
  return absl::OkStatus();
}

void Ledger::Show(const std::string& name, const Edit& edit) {
  v1::Migration next;
  {
    MutexLock lock(&mu_);
    next = entries_.at(name).record;
    next.set_revision(next.revision() + 2);
  }
  const v1::Migration before = next;
  edit(next);
  // CANCELLING hides what comes before the end.
  const bool hidden = before.state() == v1::Migration::STATE_CANCELLING && !IsFinal(next.state());
  if (!hidden && !CheckTransition(before, next.state()).ok()) next.set_state(before.state());
  Publish(std::move(next));
}

void Ledger::End(const std::string& name, State state, const std::string& message) {
  const Edit edit = [&](v1::Migration& migration) {
    migration.set_state(state);
    migration.set_message(message);
    *migration.mutable_end_time() = ToProto(clock_->Now());
  };
  absl::Status written = Advance(name, state, edit);
  if (!written.ok()) written = Advance(name, state, edit);
  if (written.ok()) return;
  Log(LogLevel::kError, "the end of a migration could not be written",
      {{"migration", name}, {"state", StateName(state)}, {"error", written.ToString()}});
  Show(name, [&](v1::Migration& migration) {
    edit(migration);
    absl::StrAppend(migration.mutable_message(), migration.message().empty() ? "" : " ",
                    "This end could not be written: ", written.message());
  });
}

Ledger::Stop Ledger::StopRequested(const std::string& name) const {
  MutexLock lock(&mu_);
  const Entry& entry = entries_.at(name);
  return entry.committing ? Stop::kNone : entry.stop;
}

bool Ledger::Claimed(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto it = entries_.find(name);
  return it != entries_.end() && it->second.committing;
}

bool Ledger::ClaimCommit(const std::string& name) {
  MutexLock lock(&mu_);
  Entry& entry = entries_.at(name);
  if (entry.stop == Stop::kNone) entry.committing = true;
  return entry.committing;
}

absl::Status Ledger::CheckCancel(const Entry& entry) const {
  const v1::Migration& record = entry.record;
  if (IsFinal(record.state())) {
    return absl::FailedPreconditionError(
        absl::StrCat(record.name(), " has ended: ", StateName(record.state())));
  }
  if (record.state() == v1::Migration::STATE_AWAITING_DESTINATION) {
    return absl::FailedPreconditionError(absl::StrCat(
        record.name(), " cannot be cancelled: the source has quit, and the guest is in ",
        record.destination().sequential().state_file(), ". Start the destination at ",
        MonitorOf(record.destination())));
  }
  if (entry.committing || record.state() == v1::Migration::STATE_COMMITTED) {
    return absl::FailedPreconditionError(absl::StrCat(record.name(), " is being committed (",
                                                      StateName(record.state()),
                                                      "): the VM goes on at the destination"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Migration> Ledger::Cancel(const std::string& name) {
  v1::Migration record;
  bool queued = false;
  {
    MutexLock lock(&mu_);
    const auto it = entries_.find(name);
    if (it == entries_.end() || it->second.pending) {
      return absl::NotFoundError(absl::StrCat("there is no migration \"", name, "\""));
    }
    Entry& entry = it->second;
    if (absl::Status possible = CheckCancel(entry); !possible.ok()) return possible;
    // From here on nobody begins with it.
    queued = queue_.erase(name) > 0;
    if (!queued && entry.stop != Stop::kNone) return entry.record;
    if (!queued) {
      entry.stop = Stop::kCancel;
      // Its turn has come, and whoever is about to write that will find this.
      if (entry.record.state() == v1::Migration::STATE_QUEUED) return entry.record;
      entry.record.set_state(v1::Migration::STATE_CANCELLING);
      entry.record.set_revision(entry.record.revision() + 1);
      record = entry.record;
    }
  }
  if (queued) {
    End(name, v1::Migration::STATE_CANCELLED, "cancelled on request while it waited for its turn");
    MutexLock lock(&mu_);
    return entries_.at(name).record;
  }
  if (observer_) observer_(record);
  subscribers_.Notify();
  return record;
}

void Ledger::StopAll() {
  MutexLock lock(&mu_);
  stopping_ = true;
  for (const std::string& name : running_) {
    Entry& entry = entries_.at(name);
    if (queue_.count(name) > 0) continue;
    if (entry.stop == Stop::kNone) entry.stop = Stop::kShutdown;
  }
}

bool Ledger::stopping() const {
  MutexLock lock(&mu_);
  return stopping_;
}

}  // namespace vuf
