#include "server/migration/permit_plan.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace vuf {
namespace {

using Direction = KeeperPermit::Direction;

// Of a keeper's 39 characters: a migration's id, a random number, a device's number.
constexpr size_t kMaxMigrationId = 16;

absl::Status Impossible(const std::string& device, absl::string_view what) {
  return absl::InternalError(absl::StrCat("device ", device, ": ", what));
}

// Nobody who has seen an earlier permit of this migration, or of this host, can name the next.
absl::StatusOr<std::string> NewId(const std::string& migration) {
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) {
    return absl::InternalError(absl::StrCat("getrandom: ", strerror(errno)));
  }
  const absl::string_view id = absl::StripPrefix(migration, "migrations/");
  return absl::StrCat(id.substr(0, kMaxMigrationId), "-", absl::Hex(random, absl::kZeroPad16), "-");
}

bool IsKept(const BackEndFacts& back_end) {
  return back_end.keeper.known() || back_end.kind.value == BackEndKind::kKeeper;
}

bool CanBeAsked(const BackEndFacts& back_end) {
  return back_end.keeper.known() && !back_end.keeper.value->instance.empty() &&
         back_end.process.known() && back_end.socket.known() &&
         back_end.socket.value->peer_inode != 0;
}

Mode ModeOf(const Verdict& verdict, const std::string& device) {
  for (const DeviceVerdict& one : verdict.devices) {
    if (one.device == device) return one.mode;
  }
  return Mode::kNone;
}

PermitAt At(const std::string& device, const BackEndFacts& back_end, const std::string& id,
            Mode mode, Direction direction) {
  PermitAt at;
  at.device = device;
  at.keeper = {back_end.keeper.value->control_socket, *back_end.process.value,
               back_end.keeper.value->instance};
  at.permit.permit = id;
  at.permit.mode = mode;
  at.permit.direction = direction;
  return at;
}

// Of a device that has a keeper on one side at least.
absl::Status PlanDevice(const std::string& device, Mode mode, const BackEndFacts& source,
                        const BackEndFacts& destination, const std::string& id,
                        std::vector<PermitAt>& plan) {
  if (!CanBeAsked(source) || !CanBeAsked(destination)) {
    return Impossible(device, "allowed without a keeper on either side whose session is known");
  }
  const KeeperFacts& here = *source.keeper.value;
  const KeeperFacts& there = *destination.keeper.value;
  const bool same = here.instance == there.instance && here.session == there.session;
  if (mode == Mode::kStateless && same) {
    plan.push_back(At(device, source, id, mode, Direction::kOutgoing));
    plan.back().permit.source_inode = source.socket.value->peer_inode;
    plan.back().permit.destination_inode = destination.socket.value->peer_inode;
    return absl::OkStatus();
  }
  if (mode == Mode::kStateful && here.instance != there.instance) {
    plan.push_back(At(device, source, id, mode, Direction::kOutgoing));
    plan.back().permit.source_inode = source.socket.value->peer_inode;
    plan.push_back(At(device, destination, id, mode, Direction::kIncoming));
    plan.back().permit.destination_inode = destination.socket.value->peer_inode;
    return absl::OkStatus();
  }
  return Impossible(device, same ? "one keeper's session cannot move to itself statefully"
                                 : "two keepers cannot hand over without state");
}

// The device at the destination. In a sequential migration, which has none yet and whose session
// stays where it is, the device itself.
const FsDeviceFacts* Counterpart(const Facts& decided, const FsDeviceFacts& device) {
  if (decided.request.sequential) return &device;
  if (!decided.destination.has_value() || !decided.destination->devices.known()) return nullptr;
  for (const FsDeviceFacts& one : *decided.destination->devices.value) {
    if (one.qom_path == device.qom_path) return &one;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::vector<PermitAt>> PlanPermits(const Facts& decided, const Verdict& verdict,
                                                  const std::string& migration) {
  std::vector<PermitAt> plan;
  if (!decided.source.devices.known()) return plan;
  const absl::StatusOr<std::string> id = NewId(migration);
  if (!id.ok()) return id.status();
  int number = 0;
  for (const FsDeviceFacts& device : *decided.source.devices.value) {
    const FsDeviceFacts* other = Counterpart(decided, device);
    if (other == nullptr) continue;
    if (!IsKept(device.back_end) && !IsKept(other->back_end)) continue;
    absl::Status planned =
        PlanDevice(device.subject(), ModeOf(verdict, device.subject()), device.back_end,
                   other->back_end, absl::StrCat(*id, number++), plan);
    if (!planned.ok()) return planned;
    // Who will load is not known before the source has left.
    if (decided.request.sequential) plan.back().permit.destination_inode = 0;
  }
  return plan;
}

bool EveryDeviceHasPermits(const VmFacts& source, const std::vector<PermitAt>& permits) {
  if (!source.devices.known() || source.devices.value->empty()) return false;
  return absl::c_all_of(*source.devices.value, [&](const FsDeviceFacts& device) {
    const auto of_it = [&](const PermitAt& at) { return at.device == device.subject(); };
    return absl::c_any_of(permits, [&](const auto& at) { return of_it(at) && at.outgoing(); }) &&
           absl::c_any_of(permits, [&](const auto& at) { return of_it(at) && at.takes_over(); });
  });
}

std::vector<PermitAt> PermitsOf(const v1::Migration& migration) {
  std::vector<PermitAt> permits;
  std::set<std::string> seen;
  for (const v1::KeeperPermit& record : migration.permits()) {
    PermitAt at;
    at.device = record.device();
    at.keeper = {record.control_socket(), {record.pid(), record.start_ticks()}, record.instance()};
    at.permit.permit = record.permit();
    at.permit.mode =
        record.mode() == v1::MIGRATION_MODE_STATELESS ? Mode::kStateless : Mode::kStateful;
    // The source's comes first, and only STATEFUL has another one.
    const bool first = seen.insert(record.permit()).second;
    at.permit.direction = first ? Direction::kOutgoing : Direction::kIncoming;
    at.permit.source_inode = record.source_inode();
    at.armed = true;
    permits.push_back(std::move(at));
  }
  return permits;
}

void RecordPermits(const std::vector<PermitAt>& permits, v1::Migration& migration) {
  migration.clear_permits();
  for (const PermitAt& at : permits) {
    v1::KeeperPermit& record = *migration.add_permits();
    record.set_device(at.device);
    record.set_control_socket(at.keeper.control_socket);
    record.set_instance(at.keeper.instance);
    record.set_pid(at.keeper.process.pid);
    record.set_start_ticks(at.keeper.process.start_ticks);
    record.set_permit(at.permit.permit);
    record.set_mode(at.permit.mode == Mode::kStateless ? v1::MIGRATION_MODE_STATELESS
                                                       : v1::MIGRATION_MODE_STATEFUL);
    record.set_source_inode(at.permit.source_inode);
  }
}

}  // namespace vuf
