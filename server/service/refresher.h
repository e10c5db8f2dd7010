// Looks for VMs and at endpoints, again and again.
#ifndef VUFD_SERVER_SERVICE_REFRESHER_H_
#define VUFD_SERVER_SERVICE_REFRESHER_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/metrics/metrics.h"
#include "server/service/discover.h"
#include "server/service/endpoint_observer.h"

namespace vuf {

class Refresher {
 public:
  // The first round begins at once, then one every `period`.
  Refresher(VmFinder* finder, EndpointObserver* observer, Metrics* metrics,
            std::vector<std::string> globs, absl::Duration period);
  // Ends after the look that is under way.
  ~Refresher();
  Refresher(const Refresher&) = delete;
  Refresher& operator=(const Refresher&) = delete;

 private:
  void Run();
  void Round();
  void FindVms(absl::Time deadline);
  bool Stopping();

  VmFinder* const finder_;
  EndpointObserver* const observer_;
  Metrics* const metrics_;
  const std::vector<std::string> globs_;
  const absl::Duration period_;
  Mutex mu_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_REFRESHER_H_
