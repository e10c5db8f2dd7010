#include "server/security/limiter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/security/detail.h"

namespace vuf {
namespace {

// Nobody knows when a call of one's own will end.
constexpr absl::Duration kInFlightRetry = absl::Milliseconds(500);

absl::Status TooMany(const std::string& client, absl::string_view what, absl::Duration retry) {
  return WithRetry(absl::ResourceExhaustedError(absl::StrCat(
                       client, " ", what, " (limits in vufd's configuration); try again in ",
                       absl::FormatDuration(retry))),
                   retry);
}

}  // namespace

Limiter::Limiter(const ClientLimits& limits, const Clock* clock)
    : limits_(limits), clock_(clock), table_(std::make_shared<Table>()) {}

void Limiter::Refill(Client& client, absl::Time now) const {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(now - client.counted_at));
  client.tokens =
      std::min<double>(limits_.burst, client.tokens + seconds * limits_.requests_per_second);
  client.counted_at = now;
}

Limiter::Client* Limiter::Find(Table& table, const std::string& name, absl::Time now) {
  const auto found = table.clients.find(name);
  if (found != table.clients.end()) return &found->second;
  if (table.clients.size() >= kMaxClients) {
    auto quietest = table.clients.end();
    for (auto it = table.clients.begin(); it != table.clients.end(); ++it) {
      if (it->second.in_flight > 0) continue;
      if (quietest == table.clients.end() || it->second.counted_at < quietest->second.counted_at) {
        quietest = it;
      }
    }
    if (quietest == table.clients.end()) return nullptr;
    table.clients.erase(quietest);
  }
  return &table.clients.emplace(name, Client{static_cast<double>(limits_.burst), now, 0})
              .first->second;
}

absl::StatusOr<Limiter::Ticket> Limiter::Enter(const std::string& name, bool always) {
  const absl::Time now = clock_->Now();
  MutexLock lock(&table_->mu);
  Client* const client = Find(*table_, name, now);
  if (client == nullptr) {
    if (always) return Ticket();
    return TooMany(name, "is one client too many", kInFlightRetry);
  }
  Refill(*client, now);
  if (!always && client->in_flight >= limits_.requests_in_flight) {
    return TooMany(name, absl::StrCat("has ", client->in_flight, " calls under way already"),
                   kInFlightRetry);
  }
  if (!always && client->tokens < 1) {
    const absl::Duration retry = absl::Seconds((1 - client->tokens) / limits_.requests_per_second);
    return TooMany(name,
                   absl::StrCat("makes more than ", limits_.requests_per_second, " calls a second"),
                   absl::Ceil(retry, absl::Milliseconds(1)));
  }
  client->tokens = std::max(0.0, client->tokens - 1);
  ++client->in_flight;
  return Ticket(nullptr, [table = table_, name](void*) { Leave(*table, name); });
}

void Limiter::Leave(Table& table, const std::string& name) {
  MutexLock lock(&table.mu);
  // One with a call under way is not forgotten.
  --table.clients.at(name).in_flight;
}

}  // namespace vuf
