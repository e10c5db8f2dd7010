#include "server/migration/recent_vms.h"

#include "server/base/clock.h"

namespace vuf {
namespace {

// More migrations than vufd begins within two seconds.
constexpr size_t kMax = 256;

}  // namespace

void RecentVms::Put(const VmFacts& facts, absl::Time now) {
  MutexLock lock(&mu_);
  std::erase_if(seen_, [now](const auto& entry) { return !IsJustNow(entry.second.at, now); });
  if (seen_.size() < kMax) seen_.insert_or_assign(facts.qmp_socket, Seen{facts, now});
}

std::optional<VmFacts> RecentVms::Get(const std::string& qmp_socket, absl::Time now) const {
  MutexLock lock(&mu_);
  const auto it = seen_.find(qmp_socket);
  if (it == seen_.end() || !IsJustNow(it->second.at, now)) return std::nullopt;
  return it->second.facts;
}

}  // namespace vuf
