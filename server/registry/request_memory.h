// Answers to earlier requests, for an hour.
#ifndef VUFD_SERVER_REGISTRY_REQUEST_MEMORY_H_
#define VUFD_SERVER_REGISTRY_REQUEST_MEMORY_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/registry/request_key.h"
#include "server/store/store.h"

namespace vuf {

// Thread-safe. Holds what is durable; a change is first staged, then written, then committed here.
class RequestMemory {
 public:
  struct Answer {
    std::string arguments_digest;
    std::string answer;
    absl::Time time;
  };
  static constexpr absl::Duration kAge = absl::Hours(1);
  // Beyond it the oldest are forgotten early. A repeated Create is then still refused by name.
  static constexpr size_t kLimit = 20000;

  absl::Status Load(const std::vector<Record>& records);
  // The answer; nullopt when there is none; ALREADY_EXISTS for other arguments.
  absl::StatusOr<std::optional<std::string>> Find(const RequestKey& key, absl::Time now) const;
  // Deletions of what is too old or too much once `adding` answers come; a bounded number at a
  // time.
  std::vector<Change> Prune(absl::Time now, size_t adding) const;
  // Takes over changes of Table::kRequests that are durable now.
  void Commit(const std::vector<Change>& changes);

  // The change that remembers `answer`.
  static Change Remember(const RequestKey& key, std::string answer, absl::Time now);
  // The same check as Find, of one remembered answer.
  static absl::StatusOr<std::optional<std::string>> Match(const RequestKey& key,
                                                          const Answer& answer);
  static std::string RecordKey(const RequestKey& key);

 private:
  absl::Status Put(const std::string& key, const std::string& value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Erase(const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  std::map<std::string, Answer> answers_ ABSL_GUARDED_BY(mu_);
  std::set<std::pair<absl::Time, std::string>> by_age_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_REQUEST_MEMORY_H_
