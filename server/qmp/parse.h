// QEMU's answers, reduced to facts. Nothing here trusts the shape of an answer: what is not as
// documented becomes unknown, with the reason.
#ifndef VUFD_SERVER_QMP_PARSE_H_
#define VUFD_SERVER_QMP_PARSE_H_

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/hypervisor/hypervisor.h"
#include "server/model/version.h"
#include "server/model/vm.h"

namespace vuf {

// Every function: FAILED_PRECONDITION for an answer of another shape.
absl::StatusOr<Version> ParseVersion(const nlohmann::json& greeting);
absl::StatusOr<std::string> ParseString(const nlohmann::json& value);
// A string member of an object; absent is empty if `optional`.
absl::StatusOr<std::string> ParseMember(const nlohmann::json& value, const char* key,
                                        bool optional = false);
absl::StatusOr<uint32_t> ParseUint32(const nlohmann::json& value);
// `addr` of a PCI device, the number of slot and function, as "01.0". (`legacy-addr`, which is that
// text, is gone in QEMU 11.1.)
absl::StatusOr<std::string> ParsePciAddress(const nlohmann::json& value);
// query-chardev, by label.
absl::StatusOr<std::map<std::string, ChardevFacts>> ParseChardevs(const nlohmann::json& value);
ChardevFacts ParseChardevFilename(const std::string& filename);
absl::StatusOr<std::vector<MemoryBackendFacts>> ParseMemdevs(const nlohmann::json& value);
absl::StatusOr<MigrationInfo> ParseMigration(const nlohmann::json& value);
absl::StatusOr<std::vector<std::string>> ParseBlockedReasons(const nlohmann::json& value);
absl::StatusOr<std::map<std::string, bool>> ParseCapabilities(const nlohmann::json& value);
// The parameters that MigrationSettings has.
absl::StatusOr<MigrationSettings> ParseParameters(const nlohmann::json& value);
// add-fd: the id of the set that the descriptor is in.
absl::StatusOr<uint64_t> ParseFdSet(const nlohmann::json& value);
// device-list-properties: whether there is a property `name`.
absl::StatusOr<bool> ParseHasProperty(const nlohmann::json& value, const std::string& name);
// qom-list of /machine/peripheral or peripheral-anon: the vhost-user-fs devices in it, with path,
// id and type filled in.
absl::StatusOr<std::vector<FsDeviceFacts>> ParseFsDevices(const nlohmann::json& value,
                                                          const std::string& parent,
                                                          bool anonymous);

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_PARSE_H_
