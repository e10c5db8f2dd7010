#include "server/migration/policy_subject.h"

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "server/policy/policy_set.h"

namespace vuf {
namespace {

Labels LabelsOf(const google::protobuf::Map<std::string, std::string>& labels) {
  return {labels.begin(), labels.end()};
}

// A policy subject points to labels; this keeps them.
class Subject {
 public:
  // Null `vm_labels`: none are known.
  Subject(const Registry::Snapshot& registry, const std::string& vm,
          const google::protobuf::Map<std::string, std::string>* vm_labels, const VmFacts& facts) {
    subject_.vm = vm;
    if (vm_labels != nullptr) subject_.vm_labels = &labels_.emplace_back(LabelsOf(*vm_labels));
    if (!facts.devices.known()) return;
    std::multimap<std::string, size_t> at_path;
    for (const FsDeviceFacts& device : *facts.devices.value) {
      at_path.emplace(SocketPathOf(device), subject_.devices.size());
      subject_.devices.push_back(
          {device.subject(), nullptr, &device.back_end.kind, &device.back_end.version});
    }
    AddEndpointLabels(registry, at_path);
  }

  const PolicySubject& get() const { return subject_; }

 private:
  // `at_path`: numbers of devices by the socket of their back-ends. Of several endpoints with one
  // path the first counts.
  void AddEndpointLabels(const Registry::Snapshot& registry,
                         const std::multimap<std::string, size_t>& at_path) {
    for (const auto& [name, endpoint] : registry.endpoints) {
      const auto [begin, end] = at_path.equal_range(endpoint.socket_path());
      for (auto at = begin; at != end; ++at) {
        const Labels*& labels = subject_.devices[at->second].endpoint_labels;
        if (labels == nullptr) labels = &labels_.emplace_back(LabelsOf(endpoint.labels()));
      }
    }
  }

  std::deque<Labels> labels_;
  PolicySubject subject_;
};

void Select(const Registry::Snapshot& registry, const Subject& subject, absl::Time now,
            Facts& facts) {
  facts.policy = Known(registry.policy_set->Select(subject.get(), now), Source::kRegistry, now);
  facts.shadow_policy = registry.policy_set->SelectShadow(subject.get(), now);
}

}  // namespace

std::string SocketPathOf(const FsDeviceFacts& device) {
  if (device.back_end.socket.known()) return device.back_end.socket.value->path;
  return device.chardev.known() ? device.chardev.value->socket_path : "";
}

void AddPolicies(const Registry::Snapshot& registry, const std::string& vm, absl::Time now,
                 Facts& facts) {
  const auto record = registry.vms.find(vm);
  const Subject subject(registry, vm,
                        record == registry.vms.end() ? nullptr : &record->second.labels(),
                        facts.source);
  Select(registry, subject, now, facts);
}

void AddIncomingPolicies(const Registry::Snapshot& registry, const v1::IncomingMigration& incoming,
                         absl::Time now, Facts& facts) {
  const VmFacts none;
  const Subject subject(registry, incoming.vm(), &incoming.labels(),
                        facts.destination.has_value() ? *facts.destination : none);
  Select(registry, subject, now, facts);
}

}  // namespace vuf
