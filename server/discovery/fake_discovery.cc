#include "server/discovery/fake_discovery.h"

#include <algorithm>
#include <utility>

namespace vuf {

void FakeDiscovery::SetBootId(Evidence<std::string> boot_id) {
  MutexLock lock(&mu_);
  boot_id_ = std::move(boot_id);
}

void FakeDiscovery::SetBackEnd(const std::string& socket_path, BackEndFacts back_end) {
  MutexLock lock(&mu_);
  back_ends_[socket_path] = std::move(back_end);
  ++said_[socket_path];
}

void FakeDiscovery::SetEndpoint(const std::string& socket_path, EndpointSighting sighting) {
  MutexLock lock(&mu_);
  endpoints_[socket_path] = std::move(sighting);
  ++said_[socket_path];
}

void FakeDiscovery::SetStartedPaused(const std::string& qmp_socket, Evidence<bool> started_paused) {
  MutexLock lock(&mu_);
  started_paused_[qmp_socket] = std::move(started_paused);
}

void FakeDiscovery::SetProcess(const std::string& qmp_socket, Evidence<ProcessId> process) {
  MutexLock lock(&mu_);
  processes_[qmp_socket] = std::move(process);
}

int FakeDiscovery::observations() const {
  MutexLock lock(&mu_);
  return observations_;
}

void FakeDiscovery::HideSockets(bool hidden) {
  MutexLock lock(&mu_);
  sockets_hidden_ = hidden;
}

int FakeDiscovery::endpoint_observations() const {
  MutexLock lock(&mu_);
  return endpoint_observations_;
}

std::vector<std::optional<SocketSighting>> FakeDiscovery::ObserveSockets(
    const std::vector<std::string>& paths, absl::Time /*deadline*/) {
  MutexLock lock(&mu_);
  std::vector<std::optional<SocketSighting>> all;
  for (const std::string& path : paths) {
    if (sockets_hidden_) {
      all.emplace_back();
      continue;
    }
    SocketSighting sighting;
    if (const auto said = said_.find(path); said != said_.end()) sighting.served = {said->second};
    all.emplace_back(std::move(sighting));
  }
  return all;
}

void FakeDiscovery::SetGone(const ProcessId& process) {
  MutexLock lock(&mu_);
  gone_.push_back(process);
}

bool FakeDiscovery::IsGone(const ProcessId& process) {
  MutexLock lock(&mu_);
  return std::find(gone_.begin(), gone_.end(), process) != gone_.end();
}

Evidence<std::string> FakeDiscovery::BootId() {
  MutexLock lock(&mu_);
  return boot_id_;
}

BackEndFacts FakeDiscovery::BackEndOf(const FsDeviceFacts& device) const {
  BackEndFacts nobody;
  if (!device.chardev.known()) {
    nobody.socket = Unknown<SocketFacts>("the device's character device is unknown");
    return nobody;
  }
  const std::string& path = device.chardev.value->socket_path;
  const auto it = back_ends_.find(path);
  if (it != back_ends_.end()) return it->second;
  nobody.socket = Unknown<SocketFacts>("the test set no back-end for \"" + path + "\"");
  return nobody;
}

void FakeDiscovery::ObserveBackEnds(VmFacts& vm, Look look, absl::Time /*deadline*/) {
  MutexLock lock(&mu_);
  ++observations_;
  if (const auto it = started_paused_.find(vm.qmp_socket); it != started_paused_.end()) {
    vm.started_paused = it->second;
  }
  if (const auto it = processes_.find(vm.qmp_socket); it != processes_.end()) {
    vm.process = it->second;
  }
  if (!vm.devices.known()) return;
  for (FsDeviceFacts& device : *vm.devices.value) {
    device.back_end = BackEndOf(device);
    if (look == Look::kEverything) continue;
    device.back_end.descriptors = Unknown<DescriptorFacts>("not looked at");
    device.back_end.open_files = Unknown<OpenFileFacts>("not looked at");
  }
}

EndpointSighting FakeDiscovery::ObserveEndpoint(const std::string& path, absl::Time /*deadline*/) {
  MutexLock lock(&mu_);
  ++endpoint_observations_;
  if (const auto it = endpoints_.find(path); it != endpoints_.end()) return it->second;
  EndpointSighting sighting;
  const auto it = back_ends_.find(path);
  if (it == back_ends_.end()) {
    sighting.state = EndpointSighting::State::kAbsent;
    return sighting;
  }
  sighting.state = EndpointSighting::State::kInUse;
  sighting.back_end = it->second;
  if (it->second.socket.known()) sighting.socket_file = it->second.socket.value->bound_file;
  return sighting;
}

}  // namespace vuf
