#include "server/migration/reservations.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

bool IsNewer(const v1::Reservation& a, const v1::Reservation& b) {
  const absl::Time time_a = FromProto(a.create_time());
  const absl::Time time_b = FromProto(b.create_time());
  return time_a != time_b ? time_a > time_b : a.name() < b.name();
}

}  // namespace

bool IsOpen(const v1::Reservation& reservation) {
  return reservation.state() != v1::Reservation::STATE_DONE &&
         reservation.state() != v1::Reservation::STATE_RELEASED;
}

absl::Status Reservations::Load() {
  absl::StatusOr<std::vector<Record>> records = store_->ReadAll(Table::kReservations);
  if (!records.ok()) return records.status();
  MutexLock lock(&mu_);
  for (const Record& record : *records) {
    v1::Reservation reservation;
    if (!reservation.ParseFromString(record.value) || reservation.name() != record.key ||
        reservation.state() == v1::Reservation::STATE_UNSPECIFIED) {
      return absl::DataLossError(
          absl::StrCat("the store's record of \"", record.key, "\" is damaged"));
    }
    all_[record.key] = std::move(reservation);
  }
  return absl::OkStatus();
}

std::optional<v1::Reservation> Reservations::Get(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto it = all_.find(name);
  if (it == all_.end()) return std::nullopt;
  return it->second;
}

std::optional<v1::Reservation> Reservations::Find(const std::string& source_agent,
                                                  const std::string& migration) const {
  for (const v1::Reservation& reservation : List()) {
    if (reservation.source_agent() == source_agent && reservation.migration() == migration) {
      return reservation;
    }
  }
  return std::nullopt;
}

std::vector<v1::Reservation> Reservations::List() const {
  std::vector<v1::Reservation> all;
  {
    MutexLock lock(&mu_);
    for (const auto& [name, reservation] : all_) all.push_back(reservation);
  }
  std::stable_sort(all.begin(), all.end(), IsNewer);
  return all;
}

std::vector<v1::Reservation> Reservations::Open() const {
  std::vector<v1::Reservation> open = List();
  open.erase(std::remove_if(open.begin(), open.end(), [](const auto& r) { return !IsOpen(r); }),
             open.end());
  return open;
}

absl::Status Reservations::CheckRoom(const v1::Reservation& reservation) const {
  size_t open = 0;
  for (const auto& [name, other] : all_) {
    if (!IsOpen(other)) continue;
    ++open;
    const std::string& socket = reservation.destination_qemu().qmp_socket();
    if (other.vm() == reservation.vm()) {
      return absl::AlreadyExistsError(
          absl::StrCat(reservation.vm(), " is coming in already: ", name));
    }
    if (other.destination_qemu().qmp_socket() == socket) {
      return absl::AlreadyExistsError(
          absl::StrCat(socket, " waits for ", other.vm(), " already: ", name));
    }
  }
  if (open < limits_.open) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(open, " VMs are coming in, as many as peer.max_incoming allows"));
}

std::vector<std::string> Reservations::BeyondHistory() const {
  std::vector<const v1::Reservation*> ended;
  for (const auto& [name, reservation] : all_) {
    if (!IsOpen(reservation)) ended.push_back(&reservation);
  }
  std::vector<std::string> names;
  if (ended.size() < limits_.history) return names;
  std::sort(ended.begin(), ended.end(),
            [](const auto* a, const auto* b) { return IsNewer(*a, *b); });
  for (size_t i = limits_.history - 1; i < ended.size(); ++i) names.push_back(ended[i]->name());
  return names;
}

absl::Status Reservations::Add(const v1::Reservation& reservation) {
  std::vector<Change> changes = {
      {Table::kReservations, reservation.name(), reservation.SerializeAsString()}};
  std::vector<std::string> old;
  {
    MutexLock lock(&mu_);
    if (absl::Status room = CheckRoom(reservation); !room.ok()) return room;
    old = BeyondHistory();
    // Taken before the write, so that a second one finds it taken.
    all_[reservation.name()] = reservation;
  }
  for (const std::string& name : old) changes.push_back({Table::kReservations, name, std::nullopt});
  const absl::Status written = store_->Write(changes);
  MutexLock lock(&mu_);
  if (!written.ok()) {
    all_.erase(reservation.name());
    return written;
  }
  for (const std::string& name : old) all_.erase(name);
  return absl::OkStatus();
}

absl::Status Reservations::Put(const v1::Reservation& reservation) {
  const absl::Status written =
      store_->Write({{Table::kReservations, reservation.name(), reservation.SerializeAsString()}});
  if (!written.ok()) return written;
  MutexLock lock(&mu_);
  all_[reservation.name()] = reservation;
  return absl::OkStatus();
}

}  // namespace vuf
