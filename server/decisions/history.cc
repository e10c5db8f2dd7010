#include "server/decisions/history.h"

#include "server/decisions/make_record.h"

namespace vuf {

std::vector<std::string> History::Put(const v1::DecisionRecord& record, std::string bytes) {
  bytes_ += bytes.size();
  entries_[record.name()] = {std::move(bytes),
                             std::make_shared<v1::DecisionRecord>(InShort(record))};
  std::vector<std::string> gone;
  while (entries_.size() > 1 && (entries_.size() > limits_.records || bytes_ > limits_.bytes)) {
    const auto oldest = entries_.begin();
    bytes_ -= oldest->second.bytes.size();
    gone.push_back(oldest->first);
    entries_.erase(oldest);
  }
  return gone;
}

const std::string* History::Find(const std::string& name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second.bytes;
}

std::vector<std::shared_ptr<const v1::DecisionRecord>> History::NewestFirst(
    const std::string& vm) const {
  std::vector<std::shared_ptr<const v1::DecisionRecord>> records;
  for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
    if (vm.empty() || it->second.in_short->vm() == vm) records.push_back(it->second.in_short);
  }
  return records;
}

}  // namespace vuf
