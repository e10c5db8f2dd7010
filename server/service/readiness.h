// What a vufd that has just started does not do yet, and when it does.
//
//   LOADING       the store is read; nobody is answered
//   RECONCILING   the API answers; what was under way is being settled; nothing may be changed
//   READY         everything
#ifndef VUFD_SERVER_SERVICE_READINESS_H_
#define VUFD_SERVER_SERVICE_READINESS_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/base/mutex.h"
#include "server/migration/migrator.h"

namespace vuf {

// Whether this method ("MigrationService/CreateMigration") may run now. UNAVAILABLE, with a
// google.rpc.RetryInfo as payload, for one that changes something before READY.
absl::Status CheckReady(const Migrator& migrator, absl::string_view method);

// Tells once when RECONCILING is over.
class Readiness {
 public:
  // `ready` is called once, at once when it is READY already, else from another thread.
  Readiness(Migrator* migrator, std::function<void()> ready);
  // Waits for the migrator to have settled.
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // From here on `ready` is not called any more.
  void Stop();

 private:
  void Announce();

  Migrator* const migrator_;
  Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  const std::function<void()> ready_;
  std::thread waiter_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_READINESS_H_
