// A host made of what a test says about it.
#ifndef VUFD_SERVER_DISCOVERY_FAKE_DISCOVERY_H_
#define VUFD_SERVER_DISCOVERY_FAKE_DISCOVERY_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/discovery/discovery.h"

namespace vuf {

// A device gets the back-end of its chardev's socket path; a path nobody told about has unknown
// facts. `process` of a VM is left as it is unless SetProcess was called for its monitor. Facts
// come back as they were given, with their times. May be changed while others ask.
class FakeDiscovery : public Discovery {
 public:
  void SetBootId(Evidence<std::string> boot_id);
  void SetBackEnd(const std::string& socket_path, BackEndFacts back_end);
  void SetEndpoint(const std::string& socket_path, EndpointSighting sighting);
  void SetStartedPaused(const std::string& qmp_socket, Evidence<bool> started_paused);
  void SetProcess(const std::string& qmp_socket, Evidence<ProcessId> process);
  // Calls of ObserveBackEnds so far.
  int observations() const;

  void SetGone(const ProcessId& process);

  Evidence<std::string> BootId() override;
  bool IsGone(const ProcessId& process) override;
  void ObserveBackEnds(VmFacts& vm, Look look, absl::Time deadline) override;
  // Without SetEndpoint: a back-end set for that path makes it kInUse, otherwise kAbsent.
  EndpointSighting ObserveEndpoint(const std::string& path, absl::Time deadline) override;
  // Differs whenever the test has said something else about the path.
  std::vector<std::optional<SocketSighting>> ObserveSockets(const std::vector<std::string>& paths,
                                                            absl::Time deadline) override;
  // Nothing can be seen of any.
  void HideSockets(bool hidden);
  // Calls of ObserveEndpoint so far.
  int endpoint_observations() const;

 private:
  BackEndFacts BackEndOf(const FsDeviceFacts& device) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Evidence<std::string> boot_id_ ABSL_GUARDED_BY(mu_) = Unknown<std::string>("no boot id was set");
  std::map<std::string, BackEndFacts> back_ends_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, EndpointSighting> endpoints_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Evidence<bool>> started_paused_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Evidence<ProcessId>> processes_ ABSL_GUARDED_BY(mu_);
  std::vector<ProcessId> gone_ ABSL_GUARDED_BY(mu_);
  int observations_ ABSL_GUARDED_BY(mu_) = 0;
  bool sockets_hidden_ ABSL_GUARDED_BY(mu_) = false;
  int endpoint_observations_ ABSL_GUARDED_BY(mu_) = 0;
  // How often the test has said something about a path.
  std::map<std::string, uint64_t> said_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_FAKE_DISCOVERY_H_
