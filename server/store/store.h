// The port to durable storage: named records in a few tables. What Write has acknowledged survives
// kill -9 and loss of power.
#ifndef VUFD_SERVER_STORE_STORE_H_
#define VUFD_SERVER_STORE_STORE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vuf {

enum class Table {
  kVms,
  kEndpoints,
  kProfiles,
  kMigrations,
  kRequests,
  kSavedGuests,
  kPolicies,
  kPolicyRevisions,
  kAcknowledgements,
  kDecisions,
  kReservations,
};

struct Record {
  std::string key;
  // Serialized protobuf of the table's type.
  std::string value;
};

// One change; a missing value deletes.
struct Change {
  Table table;
  std::string key;
  std::optional<std::string> value;
};

class Store {
 public:
  virtual ~Store() = default;
  // All records of a table, ordered by key. DATA_LOSS: the store is damaged.
  virtual absl::StatusOr<std::vector<Record>> ReadAll(Table table) = 0;
  // Applies all changes or none, durably. RESOURCE_EXHAUSTED: the disk is full.
  virtual absl::Status Write(const std::vector<Change>& changes) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_STORE_H_
