// Guests that are in a file: what it takes to bring each of them up, durably.
#ifndef VUFD_SERVER_MIGRATION_SAVED_GUESTS_H_
#define VUFD_SERVER_MIGRATION_SAVED_GUESTS_H_

#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/base/mutex.h"
#include "server/store/store.h"
#include "vuf/record/v1/saved_guest.pb.h"

namespace vuf {

// By VM ("vms/{vm}"), at most one of each. Thread-safe; no lock is held while the store writes.
class SavedGuests {
 public:
  explicit SavedGuests(Store* store) : store_(store) {}

  // Reads the store, once, before anything else. DATA_LOSS: a record is damaged.
  absl::Status Load();
  std::optional<record::v1::SavedGuest> Get(const std::string& vm) const;
  // Durable when they return OK.
  absl::Status Put(const record::v1::SavedGuest& guest);
  absl::Status Erase(const std::string& vm);

 private:
  Store* const store_;
  mutable Mutex mu_;
  std::map<std::string, record::v1::SavedGuest> guests_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_SAVED_GUESTS_H_
