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

// Whether `record` may stand beside all the others. `before` is what it replaces, or null.
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Vm& record, const v1::Vm* before);
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Endpoint& record,
                         const v1::Endpoint* before);
absl::Status CheckRecord(const Registry::Snapshot& all, const v1::BackEndProfile& record,
                         const v1::BackEndProfile* before);

// Fills the registry's own fields and drops what is not durable.
void FillNew(absl::Time now, v1::Vm& record);
void FillNew(absl::Time now, v1::Endpoint& record);
void FillNew(absl::Time now, v1::BackEndProfile& record);

// Undoes changes to what is immutable, drops what is not durable, sets the next etag when one is
// due.
void FillChanged(const v1::Vm& before, v1::Vm& after);
void FillChanged(const v1::Endpoint& before, v1::Endpoint& after);

absl::Status CheckDelete(const Registry::Snapshot& all, const v1::Vm& record);
absl::Status CheckDelete(const Registry::Snapshot& all, const v1::Endpoint& record);
absl::Status CheckDelete(const Registry::Snapshot& all, const v1::BackEndProfile& record);

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_RECORDS_H_
