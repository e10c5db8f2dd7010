#include "server/migration/request_record.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace vuf {
namespace {

constexpr char kPrefix[] = "MigrationService.CreateMigration/";

}  // namespace

Change RequestChange(const MigrationRequestRecord& request) {
  return {Table::kRequests, absl::StrCat(kPrefix, request.request_id),
          absl::StrCat(request.arguments_digest, "\n", request.migration)};
}

Change RequestDeletion(const std::string& request_id) {
  return {Table::kRequests, absl::StrCat(kPrefix, request_id), std::nullopt};
}

absl::StatusOr<std::optional<MigrationRequestRecord>> ParseRequestRecord(const Record& record) {
  if (!absl::StartsWith(record.key, kPrefix)) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(record.value, '\n');
  if (parts.size() != 2 || parts[1].empty()) {
    return absl::DataLossError(
        absl::StrCat("the store's record of \"", record.key, "\" is damaged"));
  }
  return MigrationRequestRecord{std::string(absl::StripPrefix(record.key, kPrefix)), parts[0],
                                parts[1]};
}

}  // namespace vuf
