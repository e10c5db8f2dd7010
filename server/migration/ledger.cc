#include "server/migration/ledger.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "server/base/migration_state.h"
#include "server/convert/convert.h"
#include "server/migration/request_record.h"

namespace vuf {
namespace {

constexpr char kNamePrefix[] = "migrations/m";
// Progress raises the revision without being written, so that after a restart the revisions of a
// migration go on above everything a watcher may have seen: at most one step a second for 24 h.
constexpr uint64_t kRestartRevisionGap = 1 << 20;

std::string StateName(v1::Migration::State state) {
  return std::string(absl::StripPrefix(v1::Migration::State_Name(state), "STATE_"));
}

// Without what it calls itself, which names its process.
std::string CallerOf(const v1::Migration& migration) {
  return migration.requested_by().substr(0, migration.requested_by().find(';'));
}

absl::Status NotFound(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("there is no migration \"", name, "\""));
}

}  // namespace

absl::Status Ledger::Load() {
  absl::StatusOr<std::vector<Record>> records = store_->ReadAll(Table::kMigrations);
  if (!records.ok()) return records.status();
  for (const Record& record : *records) {
    Entry entry;
    if (!entry.record.ParseFromString(record.value) || entry.record.name() != record.key) {
      return absl::DataLossError(
          absl::StrCat("the store's record of \"", record.key, "\" is damaged"));
    }
    MutexLock lock(&mu_);
    uint64_t number = 0;
    if (absl::SimpleAtoi(absl::StripPrefix(record.key, kNamePrefix), &number)) {
      next_number_ = std::max(next_number_, number + 1);
    }
    if (!IsFinal(entry.record.state())) {
      entry.record.set_revision(entry.record.revision() + kRestartRevisionGap);
      running_.insert(record.key);
      if (entry.record.state() == v1::Migration::STATE_QUEUED) queue_.insert(record.key);
    }
    entries_.emplace(record.key, std::move(entry));
  }
  return LoadRequests();
}

absl::Status Ledger::LoadRequests() {
  absl::StatusOr<std::vector<Record>> records = store_->ReadAll(Table::kRequests);
  if (!records.ok()) return records.status();
  MutexLock lock(&mu_);
  for (const Record& record : *records) {
    absl::StatusOr<std::optional<MigrationRequestRecord>> request = ParseRequestRecord(record);
    if (!request.ok()) return request.status();
    if (!request->has_value() || entries_.count((*request)->migration) == 0) continue;
    requests_[(*request)->request_id] = {(*request)->arguments_digest, (*request)->migration};
  }
  return absl::OkStatus();
}

absl::StatusOr<Ledger::Added> Ledger::ReplayLocked(const RequestKey& key) const {
  const auto it = requests_.find(key.request_id);
  if (key.request_id.empty() || it == requests_.end()) return Added{};
  if (it->second.digest != key.arguments_digest) {
    return absl::AlreadyExistsError(
        absl::StrCat("request_id \"", key.request_id, "\" was used for another migration: ",
                     it->second.migration, "; use a new one, or repeat that request unchanged"));
  }
  const auto entry = entries_.find(it->second.migration);
  if (entry == entries_.end() || entry->second.pending) {
    return absl::AbortedError(absl::StrCat("request_id \"", key.request_id,
                                           "\": the same request is being accepted; ask again"));
  }
  return Added{entry->second.record, true};
}

absl::StatusOr<Ledger::Added> Ledger::Replay(const RequestKey& key) const {
  MutexLock lock(&mu_);
  return ReplayLocked(key);
}

absl::Status Ledger::CheckRoom(const v1::Migration& migration) const {
  if (stopping_) return absl::UnavailableError("vufd is stopping: it starts no migration any more");
  for (const std::string& name : running_) {
    const v1::Migration& other = entries_.at(name).record;
    if (other.vm() == migration.vm()) {
      return absl::AbortedError(absl::StrCat(name, " of ", migration.vm(), " is running (",
                                             StateName(other.state()), ")"));
    }
    const std::string destination = DestinationText(migration.destination());
    if (DestinationText(other.destination()) == destination) {
      return absl::AbortedError(
          absl::StrCat("destination ", destination, " is taken by ", name, " of ", other.vm()));
    }
  }
  if (!Full() || queue_.size() < limits_.queued) return absl::OkStatus();
  const std::string queued = limits_.queued == 0
                                 ? ""
                                 : absl::StrCat(", and ", queue_.size(), " wait, as many as ",
                                                "migrations.max_queued allows");
  return absl::ResourceExhaustedError(
      absl::StrCat(running_.size() - queue_.size(),
                   " migrations are running, as many as migrations.max_concurrent allows", queued,
                   "; wait for one to end"));
}

std::optional<v1::Migration> Ledger::TakeNext() {
  MutexLock lock(&mu_);
  if (stopping_ || Full()) return std::nullopt;
  std::map<std::string, int> running_of;
  for (const std::string& name : running_) {
    if (queue_.count(name) == 0) ++running_of[CallerOf(entries_.at(name).record)];
  }
  const auto rank = [&](const v1::Migration& migration) {
    return std::make_tuple(-migration.priority(), running_of[CallerOf(migration)],
                           migration.name());
  };
  const v1::Migration* next = nullptr;
  for (const std::string& name : queue_) {
    const Entry& entry = entries_.at(name);
    if (entry.pending) continue;
    if (next == nullptr || rank(entry.record) < rank(*next)) next = &entry.record;
  }
  if (next == nullptr) return std::nullopt;
  queue_.erase(next->name());
  return *next;
}

void Ledger::CountOthers(const std::string& name, std::vector<ConcurrencyLimit>& limits) const {
  for (ConcurrencyLimit& limit : limits) {
    limit.running = 0;
    for (const std::string& other : running_) {
      if (other == name) continue;
      limit.running += entries_.at(other).places.count(limit.policy) > 0 ? 1 : 0;
    }
  }
}

bool Ledger::Reserve(const std::string& name, std::vector<ConcurrencyLimit>& limits) {
  MutexLock lock(&mu_);
  CountOthers(name, limits);
  const bool room = std::all_of(limits.begin(), limits.end(),
                                [](const auto& limit) { return limit.running < limit.limit; });
  if (!room) return false;
  for (const ConcurrencyLimit& limit : limits) entries_.at(name).places.insert(limit.policy);
  return true;
}

void Ledger::CountRunning(std::vector<ConcurrencyLimit>& limits) const {
  MutexLock lock(&mu_);
  CountOthers("", limits);
}

absl::StatusOr<Ledger::Added> Ledger::Add(v1::Migration migration, const RequestKey& key) {
  std::vector<Change> changes;
  {
    MutexLock lock(&mu_);
    absl::StatusOr<Added> replay = ReplayLocked(key);
    if (!replay.ok() || replay->replayed) return replay;
    if (absl::Status room = CheckRoom(migration); !room.ok()) return room;
    migration.set_name(absl::StrFormat("%s%010d", kNamePrefix, next_number_++));
    // Also when a place has just become free: it belongs to whoever has waited.
    const bool wait = Full() || !queue_.empty();
    migration.set_state(wait ? v1::Migration::STATE_QUEUED : v1::Migration::STATE_EVALUATING);
    *migration.mutable_create_time() = ToProto(clock_->Now());
    migration.set_revision(1);
    changes = ChangesFor(migration);
    if (!key.request_id.empty()) {
      changes.push_back(RequestChange({key.request_id, key.arguments_digest, migration.name()}));
      requests_[key.request_id] = {key.arguments_digest, migration.name()};
    }
    // Taken before the write, so that a second one finds the VM taken; unseen until after it.
    entries_[migration.name()] = {migration, Stop::kNone, false, true, {}};
    running_.insert(migration.name());
    if (wait) queue_.insert(migration.name());
  }
  const absl::Status written = store_->Write(changes);
  {
    MutexLock lock(&mu_);
    if (!written.ok()) {
      running_.erase(migration.name());
      queue_.erase(migration.name());
      entries_.erase(migration.name());
      requests_.erase(key.request_id);
      return written;
    }
    entries_[migration.name()].pending = false;
  }
  if (observer_) observer_(migration);
  subscribers_.Notify();
  return Added{std::move(migration), false};
}

absl::StatusOr<v1::Migration> Ledger::Get(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto it = entries_.find(name);
  if (it == entries_.end() || it->second.pending) return NotFound(name);
  return it->second.record;
}

std::vector<v1::Migration> Ledger::List() const {
  MutexLock lock(&mu_);
  std::vector<v1::Migration> all;
  for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
    if (!it->second.pending) all.push_back(it->second.record);
  }
  return all;
}

std::vector<v1::Migration> Ledger::Recent(size_t ended) const {
  MutexLock lock(&mu_);
  std::vector<v1::Migration> all;
  for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
    if (it->second.pending) continue;
    const bool over = IsFinal(it->second.record.state());
    if (over && ended == 0) continue;
    if (over) --ended;
    all.push_back(it->second.record);
  }
  return all;
}

std::vector<v1::Migration> Ledger::Unfinished() const {
  MutexLock lock(&mu_);
  std::vector<v1::Migration> all;
  for (const std::string& name : running_) all.push_back(entries_.at(name).record);
  return all;
}

std::string Ledger::RunningOf(const std::string& vm) const {
  MutexLock lock(&mu_);
  for (const std::string& name : running_) {
    if (entries_.at(name).record.vm() == vm) return name;
  }
  return "";
}

}  // namespace vuf
