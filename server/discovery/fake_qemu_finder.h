// A host with the QEMUs that a test puts there.
#ifndef VUFD_SERVER_DISCOVERY_FAKE_QEMU_FINDER_H_
#define VUFD_SERVER_DISCOVERY_FAKE_QEMU_FINDER_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/discovery/qemu_finder.h"

namespace vuf {

// Thread-safe. Without Set there is none.
class FakeQemuFinder : public QemuFinder {
 public:
  void Set(absl::StatusOr<QemuSighting> sighting) {
    MutexLock lock(&mu_);
    sighting_ = std::move(sighting);
  }

  absl::StatusOr<QemuSighting> Find(absl::Time /*deadline*/) override {
    MutexLock lock(&mu_);
    return sighting_;
  }

 private:
  Mutex mu_;
  absl::StatusOr<QemuSighting> sighting_ ABSL_GUARDED_BY(mu_) = QemuSighting();
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_FAKE_QEMU_FINDER_H_
