// The rules of each kind of record: what is unique, what is filled in, what may be deleted.
#ifndef VUFD_SERVER_REGISTRY_RECORDS_H_
#define VUFD_SERVER_REGISTRY_RECORDS_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/registry/registry.h"
#include "server/store/store.h"

namespace vuf {

// Per record type: the table, the collection in names and messages, the limit, the map.
template <typename T>
struct Kind;

template <>
struct Kind<v1::Vm> {
  static constexpr Table kTable = Table::kVms;
  static constexpr char kPrefix[] = "vms/";
  static constexpr char kPlural[] = "VMs";
  static constexpr size_t kLimit = 10000;
  static constexpr auto kMap = &Registry::Snapshot::vms;
};

template <>
struct Kind<v1::Endpoint> {
  static constexpr Table kTable = Table::kEndpoints;
  static constexpr char kPrefix[] = "endpoints/";
  static constexpr char kPlural[] = "endpoints";
  static constexpr size_t kLimit = 10000;
  static constexpr auto kMap = &Registry::Snapshot::endpoints;
};

template <>
struct Kind<v1::BackEndProfile> {
  static constexpr Table kTable = Table::kProfiles;
  static constexpr char kPrefix[] = "backEndProfiles/";
  static constexpr char kPlural[] = "back-end profiles";
  static constexpr size_t kLimit = 1000;
  static constexpr auto kMap = &Registry::Snapshot::profiles;
};

template <>
struct Kind<v1::MigrationPolicy> {
  static constexpr Table kTable = Table::kPolicies;
  static constexpr char kPrefix[] = "migrationPolicies/";
  static constexpr char kPlural[] = "migration policies";
  static constexpr size_t kLimit = 1000;
  static constexpr auto kMap = &Registry::Snapshot::policies;
};

template <>
struct Kind<v1::Acknowledgement> {
  static constexpr Table kTable = Table::kAcknowledgements;
  static constexpr char kPrefix[] = "acknowledgements/";
  static constexpr char kPlural[] = "acknowledgements";
  static constexpr size_t kLimit = 10000;
  static constexpr auto kMap = &Registry::Snapshot::acknowledgements;
};

// Whether `record` may stand beside all the others. `before` is what it replaces, or null.
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Vm& record, const v1::Vm* before);
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Endpoint& record,
                         const v1::Endpoint* before);
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::BackEndProfile& record,
                         const v1::BackEndProfile* before);
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::MigrationPolicy& record,
                         const v1::MigrationPolicy* before);
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Acknowledgement& record,
                         const v1::Acknowledgement* before);

// Fills the registry's own fields and drops what is not durable.
void FillNew(absl::Time now, v1::Vm& record);
void FillNew(absl::Time now, v1::Endpoint& record);
void FillNew(absl::Time now, v1::BackEndProfile& record);
void FillNew(absl::Time now, v1::MigrationPolicy& record);
void FillNew(absl::Time now, v1::Acknowledgement& record);

// Undoes changes to what is immutable, drops what is not durable, sets the next etag when one is
// due.
void FillChanged(absl::Time now, const v1::Vm& before, v1::Vm& after);
void FillChanged(absl::Time now, const v1::Endpoint& before, v1::Endpoint& after);
void FillChanged(absl::Time now, const v1::MigrationPolicy& before, v1::MigrationPolicy& after);

absl::Status CheckDelete(const Registry::Snapshot& all, const v1::Vm& record);
absl::Status CheckDelete(const Registry::Snapshot& all, const v1::Endpoint& record);
absl::Status CheckDelete(const Registry::Snapshot& all, const v1::BackEndProfile& record);
absl::Status CheckDelete(const Registry::Snapshot& all, const v1::MigrationPolicy& record);
absl::Status CheckDelete(const Registry::Snapshot& all, const v1::Acknowledgement& record);

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_RECORDS_H_
