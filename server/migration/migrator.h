// Runs migrations: one thread each, at most `max_concurrent`, every state change durable.
#ifndef VUFD_SERVER_MIGRATION_MIGRATOR_H_
#define VUFD_SERVER_MIGRATION_MIGRATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/migration/gather.h"
#include "server/registry/registry.h"
#include "server/registry/request_key.h"
#include "server/store/store.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

class Migrator {
 public:
  struct Options {
    size_t max_concurrent = 4;
    absl::Duration default_timeout = absl::Minutes(5);
    size_t history_limit = 1000;
    // Deadline of one QMP command.
    absl::Duration qmp_timeout = absl::Seconds(5);
  };
  // Told about every durable state change (for metrics and the log); must not block.
  using Observer = std::function<void(const v1::Migration&)>;

  virtual ~Migrator() = default;

  // Reads the history. Migrations that a previous run left under way are settled before this
  // returns: one that has not begun to switch over is cancelled (the guest goes on at the source); of any other
  // nothing is assumed and it becomes INTERRUPTED.
  static absl::StatusOr<std::unique_ptr<Migrator>> Open(Gatherer* gatherer,
                                                        HypervisorConnector* connector,
                                                        Registry* registry, Store* store,
                                                        const Clock* clock, Options options,
                                                        Observer observer);

  // Accepts a migration (validated by the service) and starts it. Errors as the API documents.
  virtual absl::StatusOr<v1::Migration> Create(v1::Migration migration, const RequestKey& key) = 0;
  virtual absl::StatusOr<v1::Migration> Get(const std::string& name) const = 0;
  // Newest first.
  virtual std::vector<v1::Migration> List() const = 0;
  virtual absl::StatusOr<v1::Migration> Cancel(const std::string& name) = 0;
  // Name of the running migration of a VM, or "".
  virtual std::string RunningMigrationOf(const std::string& vm) const = 0;
  // Calls `notify` after every change of any migration until Unsubscribe returns.
  virtual uint64_t Subscribe(std::function<void()> notify) = 0;
  virtual void Unsubscribe(uint64_t id) = 0;
  // Cancels what is before its commit, finishes what is behind it, and waits for the threads.
  // A guest must not be left stopped at pre-switchover with nobody to continue it.
  virtual void Shutdown() = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_MIGRATOR_H_
