// What exists, durably: VMs, endpoints, back-end profiles, policies and acknowledgements.
//
// One writer thread runs the changes one after another against a working copy, writes a batch of
// them with one durable commit, then publishes an immutable snapshot and answers the callers.
// Readers take the snapshot and never wait.
#ifndef VUFD_SERVER_REGISTRY_REGISTRY_H_
#define VUFD_SERVER_REGISTRY_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/policy/policy_set.h"
#include "server/registry/request_key.h"
#include "server/store/store.h"
#include "vuf/v1/back_end_profile.pb.h"
#include "vuf/v1/endpoint.pb.h"
#include "vuf/v1/policy.pb.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {

class Registry {
 public:
  struct Snapshot {
    // By name. Only durable fields are filled: nothing observed but the endpoints' last sighting.
    std::map<std::string, v1::Vm> vms;
    std::map<std::string, v1::Endpoint> endpoints;
    // Shipped and added.
    std::map<std::string, v1::BackEndProfile> profiles;
    // In force; the shipped one and the operator's.
    std::map<std::string, v1::MigrationPolicy> policies;
    // The last revisions of the operator's, by RevisionKey().
    std::map<std::string, v1::MigrationPolicy> policy_revisions;
    std::map<std::string, v1::Acknowledgement> acknowledgements;
    // Policies and acknowledgements, ready to be matched. Never null.
    std::shared_ptr<const PolicySet> policy_set = std::make_shared<PolicySet>();
    // Rises with every change. Begins with the time of the start in microseconds, so that a
    // revision of an earlier run is recognised as too old.
    uint64_t revision = 0;
  };

  // One change of an endpoint, for watchers.
  struct EndpointChange {
    uint64_t revision = 0;
    bool deleted = false;
    v1::Endpoint endpoint;
  };

  // Where a revision is in Snapshot::policy_revisions; keys of one policy sort by age.
  static std::string RevisionKey(const std::string& policy, uint64_t revision);

  // Reads everything, and adds the policy that comes with vufd. A damaged or unreadable store is an
  // error, never an empty registry.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(Store* store, const Clock* clock,
                                                        std::vector<v1::BackEndProfile> shipped);
  virtual ~Registry() = default;

  virtual std::shared_ptr<const Snapshot> snapshot() const = 0;

  // The answer given to an earlier request with this key (a serialized message); nullopt when
  // there was none; ALREADY_EXISTS when the id was used with other arguments. Create* does the
  // same check again, atomically with the change.
  virtual absl::StatusOr<std::optional<std::string>> Replay(const RequestKey& key) const = 0;

  // Durable when they return OK. They fill output-only fields (create_time, etag, generation); the
  // caller sets the name. ALREADY_EXISTS, NOT_FOUND and ABORTED (etag) name the record;
  // INVALID_ARGUMENT: the name's form, or a profile that does not exist; RESOURCE_EXHAUSTED: full
  // disk, or the limit of records; UNAVAILABLE: closing. Waits at most until `deadline`;
  // DEADLINE_EXCEEDED says whether the change may still happen. A `change` runs on the writer's
  // thread and must not block or call the registry; its error is returned and nothing is changed.
  virtual absl::StatusOr<v1::Vm> CreateVm(v1::Vm vm, const RequestKey& key,
                                          absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::Vm> UpdateVm(const std::string& name,
                                          std::function<absl::Status(v1::Vm&)> change,
                                          absl::Time deadline) = 0;
  virtual absl::Status DeleteVm(const std::string& name, const std::string& etag,
                                absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::Endpoint> CreateEndpoint(v1::Endpoint endpoint, const RequestKey& key,
                                                      absl::Time deadline) = 0;
  // Raises the revision when `change` changed something, and sets a new etag when that was labels,
  // profile or generation. The socket path is immutable and the generation never falls.
  virtual absl::StatusOr<v1::Endpoint> UpdateEndpoint(
      const std::string& name, std::function<absl::Status(v1::Endpoint&)> change,
      absl::Time deadline) = 0;
  virtual absl::Status DeleteEndpoint(const std::string& name, const std::string& etag,
                                      absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::BackEndProfile> CreateProfile(v1::BackEndProfile profile,
                                                           const RequestKey& key,
                                                           absl::Time deadline) = 0;
  // FAILED_PRECONDITION: shipped, or declared by an endpoint.
  virtual absl::Status DeleteProfile(const std::string& name, const std::string& etag,
                                     absl::Time deadline) = 0;

  virtual absl::StatusOr<v1::MigrationPolicy> CreatePolicy(v1::MigrationPolicy policy,
                                                           const RequestKey& key,
                                                           absl::Time deadline) = 0;
  // A new revision, unless `change` changes nothing. FAILED_PRECONDITION: shipped.
  virtual absl::StatusOr<v1::MigrationPolicy> UpdatePolicy(
      const std::string& name, std::function<absl::Status(v1::MigrationPolicy&)> change,
      absl::Time deadline) = 0;
  // FAILED_PRECONDITION: shipped.
  virtual absl::Status DeletePolicy(const std::string& name, const std::string& etag,
                                    absl::Time deadline) = 0;
  // Makes these the policies that come from the agent's file, all or none. They have their names.
  // ALREADY_EXISTS: one that does not come from it has the name.
  virtual absl::Status ReplaceFilePolicies(const std::vector<v1::MigrationPolicy>& policies,
                                           absl::Time deadline) = 0;
  // INVALID_ARGUMENT: the VM is not registered. They go with their VM.
  virtual absl::StatusOr<v1::Acknowledgement> CreateAcknowledgement(
      v1::Acknowledgement acknowledgement, const RequestKey& key, absl::Time deadline) = 0;
  virtual absl::Status DeleteAcknowledgement(const std::string& name, const std::string& etag,
                                             absl::Time deadline) = 0;

  // Endpoint changes after `revision`, oldest first, from a bounded history.
  // OUT_OF_RANGE: the history no longer reaches back that far (or is ahead of us).
  virtual absl::StatusOr<std::vector<EndpointChange>> EndpointChangesSince(
      uint64_t revision) const = 0;
  // Calls `notify` after every published change, until Unsubscribe returns. `notify` must not
  // block.
  virtual uint64_t Subscribe(std::function<void()> notify) = 0;
  virtual void Unsubscribe(uint64_t id) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_REGISTRY_H_
