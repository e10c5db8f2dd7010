// Small conversions that the steps share.
#ifndef VUFD_SERVER_MIGRATION_EXPLAIN_H_
#define VUFD_SERVER_MIGRATION_EXPLAIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/hypervisor/hypervisor.h"
#include "server/migration/ledger.h"

namespace vuf {

// The capability that leaves shared guest memory where it is.
inline constexpr char kIgnoreShared[] = "x-ignore-shared";

// The same status with what was being done in front of its message.
inline absl::Status Explain(absl::string_view doing, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(doing, ": ", status.message()));
}

// What QEMU says of it, in its record.
void ShowProgress(Ledger& ledger, const std::string& migration, const MigrationInfo& info);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_EXPLAIN_H_
