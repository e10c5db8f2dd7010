#include "server/registry/request_memory.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/registry/stored_request.pb.h"

namespace vuf {
namespace {

// Rows of others in the same table are not ours to read or to prune.
constexpr char kPrefix[] = "registry:";
constexpr size_t kPrunedAtOnce = 64;

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

}  // namespace

std::string RequestMemory::RecordKey(const RequestKey& key) {
  return absl::StrCat(kPrefix, key.method, ":", key.request_id);
}

absl::Status RequestMemory::Put(const std::string& key, const std::string& value) {
  registry::StoredRequest stored;
  if (!stored.ParseFromString(value)) {
    return absl::DataLossError(absl::StrCat("request \"", key, "\" cannot be parsed"));
  }
  Erase(key);
  const absl::Time time = TimeOf(stored.time());
  answers_[key] = {stored.arguments_digest(), stored.answer(), time};
  by_age_.insert({time, key});
  return absl::OkStatus();
}

void RequestMemory::Erase(const std::string& key) {
  const auto it = answers_.find(key);
  if (it == answers_.end()) return;
  by_age_.erase({it->second.time, key});
  answers_.erase(it);
}

absl::Status RequestMemory::Load(const std::vector<Record>& records) {
  MutexLock lock(&mu_);
  for (const Record& record : records) {
    if (!absl::StartsWith(record.key, kPrefix)) continue;
    if (absl::Status s = Put(record.key, record.value); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> RequestMemory::Match(const RequestKey& key,
                                                                const Answer& answer) {
  if (answer.arguments_digest == key.arguments_digest) return std::optional(answer.answer);
  return absl::AlreadyExistsError(
      absl::StrCat("request_id: \"", key.request_id, "\" was used for a ", key.method,
                   " with other arguments within the last hour; use another id"));
}

absl::StatusOr<std::optional<std::string>> RequestMemory::Find(const RequestKey& key,
                                                               absl::Time now) const {
  if (key.request_id.empty()) return std::nullopt;
  MutexLock lock(&mu_);
  const auto it = answers_.find(RecordKey(key));
  if (it == answers_.end() || it->second.time + kAge <= now) return std::nullopt;
  return Match(key, it->second);
}

std::vector<Change> RequestMemory::Prune(absl::Time now, size_t adding) const {
  std::vector<Change> changes;
  MutexLock lock(&mu_);
  const size_t total = answers_.size() + adding;
  const size_t excess = total > kLimit ? total - kLimit : 0;
  for (const auto& [time, key] : by_age_) {
    const bool too_much = changes.size() < excess;
    const bool too_old = time + kAge <= now && changes.size() < kPrunedAtOnce;
    if (!too_much && !too_old) break;
    changes.push_back({Table::kRequests, key, std::nullopt});
  }
  return changes;
}

void RequestMemory::Commit(const std::vector<Change>& changes) {
  MutexLock lock(&mu_);
  for (const Change& change : changes) {
    if (change.table != Table::kRequests) continue;
    if (!change.value.has_value()) {
      Erase(change.key);
    } else {
      Put(change.key, *change.value).IgnoreError();  // serialized by Remember
    }
  }
}

Change RequestMemory::Remember(const RequestKey& key, std::string answer, absl::Time now) {
  registry::StoredRequest stored;
  stored.set_arguments_digest(key.arguments_digest);
  stored.set_answer(std::move(answer));
  const int64_t seconds = absl::ToUnixSeconds(now);
  stored.mutable_time()->set_seconds(seconds);
  stored.mutable_time()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(now - absl::FromUnixSeconds(seconds))));
  return {Table::kRequests, RecordKey(key), stored.SerializeAsString()};
}

}  // namespace vuf
