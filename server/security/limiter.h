// What one client may ask for: calls per second and calls at a time.
#ifndef VUFD_SERVER_SECURITY_LIMITER_H_
#define VUFD_SERVER_SECURITY_LIMITER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace vuf {

struct ClientLimits {
  uint32_t requests_per_second = 100;
  uint32_t burst = 200;
  uint32_t requests_in_flight = 64;
};

// Thread-safe. Remembers at most kMaxClients; the one that was quiet longest is forgotten.
class Limiter {
 public:
  static constexpr size_t kMaxClients = 1024;
  // Held as long as the call is under way.
  using Ticket = std::shared_ptr<void>;

  Limiter(const ClientLimits& limits, const Clock* clock);

  // RESOURCE_EXHAUSTED, with a RetryInfo, when the client is over a limit. `always`: counts, but is
  // not refused.
  absl::StatusOr<Ticket> Enter(const std::string& client, bool always);

 private:
  struct Client {
    double tokens = 0;
    absl::Time counted_at;
    uint32_t in_flight = 0;
  };
  // Outlives the limiter if a ticket does.
  struct Table {
    Mutex mu;
    std::map<std::string, Client> clients ABSL_GUARDED_BY(mu);
  };
  Client* Find(Table& table, const std::string& name, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(table.mu);
  void Refill(Client& client, absl::Time now) const;
  static void Leave(Table& table, const std::string& name);

  const ClientLimits limits_;
  const Clock* const clock_;
  const std::shared_ptr<Table> table_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_LIMITER_H_
