// The use of one reservation, for one thread at a time. Of incoming*.cc only.
#ifndef VUFD_SERVER_MIGRATION_INCOMING_USE_H_
#define VUFD_SERVER_MIGRATION_INCOMING_USE_H_

#include <memory>
#include <string>
#include <utility>

#include "server/migration/incoming.h"

namespace vuf {

class Incoming::Use {
 public:
  Use(Incoming* owner, std::shared_ptr<Held> held, v1::Reservation record)
      : owner_(owner), held_(std::move(held)), record_(std::move(record)) {}
  ~Use() {
    MutexLock lock(&owner_->mu_);
    held_->busy = false;
    if (!IsOpen(record_)) owner_->held_.erase(record_.name());
    owner_->changed_.NotifyAll();
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Held& held() { return *held_; }
  Monitor& monitor() { return *held_->monitor; }
  const v1::Reservation& record() const { return record_; }
  // Durable when it returns OK; otherwise nothing has changed.
  absl::Status Put(v1::Reservation record) {
    const absl::Status written = owner_->book_.Put(record);
    if (written.ok()) record_ = std::move(record);
    return written;
  }

 private:
  Incoming* const owner_;
  const std::shared_ptr<Held> held_;
  v1::Reservation record_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_INCOMING_USE_H_
