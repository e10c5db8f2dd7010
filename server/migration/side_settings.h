// What a migration sets at one QEMU before it begins, and how it is put back.
#ifndef VUFD_SERVER_MIGRATION_SIDE_SETTINGS_H_
#define VUFD_SERVER_MIGRATION_SIDE_SETTINGS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/hypervisor/hypervisor.h"
#include "server/migration/monitor.h"
#include "server/model/vm.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// Mode normal, where this QEMU has modes at all (8.2 and later).
std::optional<std::string> NormalMode(const VmFacts& vm);

// Whether guest memory travels is said in either case: another one's x-ignore-shared that was left
// on would give the destination blank memory.
//
// With shared memory the way back stays open all the same. Both QEMUs map one file, and until
// `cont` nothing at the destination writes to it: loading the state touches devices only (QEMU
// skips ROMs and resets while it waits for a migration), and its back-ends have no ring yet. So a
// source that is resumed, before the commit and after the destination was seen not to run, finds
// its memory as it left it.
void SetRamTransfer(const VmFacts& vm, bool shared, MigrationSettings& wanted);

// What is there now of what `wanted` names: read before it is changed, so that it can be written
// down first.
absl::StatusOr<MigrationSettings> SettingsBefore(Monitor& side, const MigrationSettings& wanted);
// Sets `wanted` and keeps in `before` what was there, also when the answer was lost.
absl::Status ConfigureSide(Monitor& side, const MigrationSettings& wanted,
                           std::optional<MigrationSettings>& before);
v1::QemuSettings ToProto(const MigrationSettings& settings);
MigrationSettings FromProto(const v1::QemuSettings& settings);
// Puts it back, once; what could not be put back is returned in words, with a leading space.
std::string RestoreSide(Monitor& side, absl::string_view name,
                        std::optional<MigrationSettings>& before);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_SIDE_SETTINGS_H_
