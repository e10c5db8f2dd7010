#include "server/migration/monitor.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

// Between two attempts to reach a monitor that does not answer.
constexpr absl::Duration kPause = absl::Milliseconds(50);

absl::Status NotConnected() { return absl::UnavailableError("the monitor is not connected"); }

}  // namespace

absl::StatusOr<VmFacts> Monitor::Observe() {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->Observe(Deadline());
}

absl::StatusOr<MigrationInfo> Monitor::QueryMigration(absl::Duration patience) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->QueryMigration(clock_->Now() + std::max(patience, timeout_));
}

absl::StatusOr<std::string> Monitor::QueryRunState(absl::Duration patience) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->QueryRunState(clock_->Now() + std::max(patience, timeout_));
}

absl::StatusOr<Standing> Monitor::QueryStanding(absl::Duration patience) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->QueryStanding(clock_->Now() + std::max(patience, timeout_));
}

absl::StatusOr<MigrationSettings> Monitor::QuerySettings() {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->QuerySettings(Deadline());
}

absl::StatusOr<MigrationSettings> Monitor::Configure(const MigrationSettings& settings) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->Configure(settings, Deadline());
}

absl::Status Monitor::PrepareIncoming(int stream_fd) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->PrepareIncoming(stream_fd, Deadline());
}

absl::Status Monitor::StartOutgoing(int stream_fd) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->StartOutgoing(stream_fd, Deadline());
}

absl::StatusOr<MonitorEvent> Monitor::Await(absl::Duration at_most) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->Await(clock_->Now() + at_most);
}

absl::Status Monitor::Do(Hypervisor::Act act) {
  if (hypervisor_ == nullptr) return NotConnected();
  return hypervisor_->Do(act, Deadline());
}

absl::Status Monitor::Reconnect() {
  hypervisor_.reset();
  absl::StatusOr<std::unique_ptr<Hypervisor>> hypervisor = connector_->Connect(socket_, Deadline());
  if (!hypervisor.ok()) return hypervisor.status();
  hypervisor_ = *std::move(hypervisor);
  absl::Status same = CheckProcess();
  if (!same.ok()) hypervisor_.reset();
  return same;
}

absl::Status Monitor::CheckProcess() {
  if (!expected_.has_value()) return absl::OkStatus();
  absl::StatusOr<VmFacts> facts = Observe();
  if (!facts.ok()) return facts.status();
  if (!facts->process.known()) {
    return absl::UnavailableError(absl::StrCat("it cannot be told which process answers at ",
                                               socket_, ": ", facts->process.detail));
  }
  if (*facts->process.value == *expected_) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("another QEMU answers at ", socket_, " now: pid ",
                                         facts->process.value->pid, " instead of ", expected_->pid,
                                         "; the one that was there is gone"));
}

absl::StatusOr<Standing> Monitor::WhereItStands(absl::Time limit) {
  absl::StatusOr<Standing> standing = QueryStanding();
  while (!standing.ok()) {
    const absl::Status connected = Reconnect();
    if (connected.ok()) {
      standing = QueryStanding();
      if (standing.ok()) return standing;
    } else {
      standing = connected;
    }
    if (clock_->Now() >= limit) return standing;
    absl::SleepFor(kPause);
  }
  return standing;
}

}  // namespace vuf
