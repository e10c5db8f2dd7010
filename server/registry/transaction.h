// A batch of changes against a working copy of the registry: no thread, no I/O.
#ifndef VUFD_SERVER_REGISTRY_TRANSACTION_H_
#define VUFD_SERVER_REGISTRY_TRANSACTION_H_

#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/registry/records.h"
#include "server/registry/registry.h"
#include "server/registry/request_memory.h"
#include "server/store/store.h"

namespace vuf {

// Each call changes the copy completely or not at all, and notes what has to be written.
class Transaction {
 public:
  // Both must outlive the transaction.
  Transaction(Registry::Snapshot* working, const RequestMemory* requests, absl::Time now)
      : working_(*working), requests_(*requests), now_(now) {}

  template <typename T>
  absl::StatusOr<T> Create(T record, const RequestKey& key);
  template <typename T>
  absl::StatusOr<T> Update(const std::string& name, const std::function<absl::Status(T&)>& change);
  template <typename T>
  absl::Status Delete(const std::string& name, const std::string& etag);

  absl::Status ReplaceFilePolicies(const std::vector<v1::MigrationPolicy>& policies);

  // Everything to write; empty when nothing has changed.
  std::vector<Change> TakeChanges();
  std::vector<Registry::EndpointChange> TakeEndpointChanges() {
    return std::move(endpoint_changes_);
  }

 private:
  absl::StatusOr<std::optional<std::string>> Replay(const RequestKey& key) const;
  void Note(const v1::Endpoint& endpoint, bool deleted);
  // Acknowledgements go with their VM: another one of the same name must not inherit them.
  void Note(const v1::Vm& vm, bool deleted);
  void Note(const v1::BackEndProfile&, bool) { ++working_.revision; }
  // Keeps the last revisions.
  void Note(const v1::MigrationPolicy& policy, bool deleted);
  void Note(const v1::Acknowledgement&, bool) { ++working_.revision; }
  template <typename T>
  void Put(const T& record);
  template <typename T>
  void Erase(const T& record);
  // What the registry's policies would be with these from the file.
  std::map<std::string, v1::MigrationPolicy> WithFilePolicies(
      const std::vector<v1::MigrationPolicy>& policies) const;

  Registry::Snapshot& working_;
  const RequestMemory& requests_;
  const absl::Time now_;
  std::vector<Change> changes_;
  std::vector<Registry::EndpointChange> endpoint_changes_;
  // Answered in this transaction, by key of the record.
  std::map<std::string, RequestMemory::Answer> answered_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_TRANSACTION_H_
