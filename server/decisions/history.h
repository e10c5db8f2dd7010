// The newest records of decisions, within bounds, in memory.
#ifndef VUFD_SERVER_DECISIONS_HISTORY_H_
#define VUFD_SERVER_DECISIONS_HISTORY_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vuf/v1/decision.pb.h"

namespace vuf {

// Not thread-safe.
class History {
 public:
  struct Limits {
    size_t records = 1000;
    // Of the records' own size.
    size_t bytes = 32 << 20;
  };

  explicit History(Limits limits) : limits_(limits) {}

  // `bytes` is the record, serialized. Returns the names of those that had to go, oldest first; the
  // newest one never has to.
  std::vector<std::string> Put(const v1::DecisionRecord& record, std::string bytes);
  // Null: it is not there (any more).
  const std::string* Find(const std::string& name) const;
  std::vector<std::shared_ptr<const v1::DecisionRecord>> NewestFirst(const std::string& vm) const;

 private:
  struct Entry {
    std::string bytes;
    std::shared_ptr<const v1::DecisionRecord> in_short;
  };

  const Limits limits_;
  // Names sort by age.
  std::map<std::string, Entry> entries_;
  size_t bytes_ = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_HISTORY_H_
