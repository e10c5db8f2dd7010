// Server streams that follow something: pulled, never queued. A watcher holds at most one message
// in flight; what it has not sent yet it reads again from its source.
#ifndef VUFD_SERVER_SERVICE_WATCH_H_
#define VUFD_SERVER_SERVICE_WATCH_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/base/mutex.h"
#include "server/service/call.h"

namespace vuf {

// What a watcher does next: send `message`, end with `end`, or, with neither, wait for Notify.
struct WatchStep {
  std::optional<grpc::ByteBuffer> message;
  std::optional<absl::Status> end;
};
// Called by one thread at a time; must not block.
using WatchSource = std::function<WatchStep()>;
// One that ends at once.
WatchSource EndsWith(const absl::Status& end);

class WatchReactor;

// Wakes the watchers when something has changed, from a thread of its own: whoever calls Notify may
// hold locks that a source needs.
class WatchHub {
 public:
  static constexpr size_t kMaxWatchers = 256;

  explicit WatchHub(Calls* calls);
  // All watchers must have ended: after Stop, once the gRPC server is shut down.
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  // `begin` makes the source, once the call is admitted.
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(const grpc::CallbackServerContext& context,
                                                    const char* method,
                                                    const std::function<WatchSource()>& begin);
  // Something changed. Does not block.
  void Notify();
  // Ends all watchers, and those to come, with UNAVAILABLE.
  void Stop();

 private:
  friend class WatchReactor;
  void Remove(const std::shared_ptr<WatchReactor>& watcher);
  void Run();

  Calls* const calls_;
  Mutex mu_;
  CondVar changed_;
  std::set<std::shared_ptr<WatchReactor>> watchers_ ABSL_GUARDED_BY(mu_);
  bool notified_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_WATCH_H_
