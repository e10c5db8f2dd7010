// A store that tells how long its writes take.
#ifndef VUFD_SERVER_STORE_MEASURED_STORE_H_
#define VUFD_SERVER_STORE_MEASURED_STORE_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/store/store.h"

namespace vuf {

class MeasuredStore : public Store {
 public:
  // Called after each write, on the writer's thread.
  using Written = std::function<void(absl::Duration took, const absl::Status& outcome)>;

  MeasuredStore(std::unique_ptr<Store> store, Written written)
      : store_(std::move(store)), written_(std::move(written)) {}

  absl::StatusOr<std::vector<Record>> ReadAll(Table table) override {
    return store_->ReadAll(table);
  }
  absl::Status Write(const std::vector<Change>& changes) override {
    const absl::Time begin = absl::Now();
    absl::Status outcome = store_->Write(changes);
    written_(absl::Now() - begin, outcome);
    return outcome;
  }

 private:
  const std::unique_ptr<Store> store_;
  const Written written_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_MEASURED_STORE_H_
