// What comes in from other hosts, durably (proto/vuf/v1/peer.proto).
#ifndef VUFD_SERVER_MIGRATION_RESERVATIONS_H_
#define VUFD_SERVER_MIGRATION_RESERVATIONS_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/base/mutex.h"
#include "server/store/store.h"
#include "vuf/v1/peer.pb.h"

namespace vuf {

// Neither DONE nor RELEASED.
bool IsOpen(const v1::Reservation& reservation);

// By name. Thread-safe; no lock is held while the store writes.
class Reservations {
 public:
  struct Limits {
    // Open at once.
    size_t open = 4;
    // Ended ones that are kept.
    size_t history = 1000;
  };
  Reservations(Store* store, const Limits& limits) : store_(store), limits_(limits) {}

  // Reads the store, once, before anything else. DATA_LOSS: a record is damaged.
  absl::Status Load();
  std::optional<v1::Reservation> Get(const std::string& name) const;
  // The newest for this migration.
  std::optional<v1::Reservation> Find(const std::string& source_agent,
                                      const std::string& migration) const;
  // Newest first.
  std::vector<v1::Reservation> List() const;
  std::vector<v1::Reservation> Open() const;

  // Durable when they return OK. RESOURCE_EXHAUSTED: as many as may be are open. ALREADY_EXISTS:
  // the VM or the QEMU is taken by another open one, which is named.
  absl::Status Add(const v1::Reservation& reservation);
  // Of one that was added; used by one thread at a time.
  absl::Status Put(const v1::Reservation& reservation);

 private:
  absl::Status CheckRoom(const v1::Reservation& reservation) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<std::string> BeyondHistory() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Store* const store_;
  const Limits limits_;
  mutable Mutex mu_;
  std::map<std::string, v1::Reservation> all_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_RESERVATIONS_H_
