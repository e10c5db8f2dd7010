#include "server/migration/saved_guests.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace vuf {

absl::Status SavedGuests::Load() {
  absl::StatusOr<std::vector<Record>> records = store_->ReadAll(Table::kSavedGuests);
  if (!records.ok()) return records.status();
  MutexLock lock(&mu_);
  for (const Record& record : *records) {
    record::v1::SavedGuest guest;
    if (!guest.ParseFromString(record.value) || guest.vm() != record.key) {
      return absl::DataLossError(
          absl::StrCat("the store's record of the saved guest \"", record.key, "\" is damaged"));
    }
    guests_[record.key] = std::move(guest);
  }
  return absl::OkStatus();
}

std::optional<record::v1::SavedGuest> SavedGuests::Get(const std::string& vm) const {
  MutexLock lock(&mu_);
  const auto it = guests_.find(vm);
  if (it == guests_.end()) return std::nullopt;
  return it->second;
}

absl::Status SavedGuests::Put(const record::v1::SavedGuest& guest) {
  absl::Status written =
      store_->Write({{Table::kSavedGuests, guest.vm(), guest.SerializeAsString()}});
  if (!written.ok()) return written;
  MutexLock lock(&mu_);
  guests_[guest.vm()] = guest;
  return absl::OkStatus();
}

absl::Status SavedGuests::Erase(const std::string& vm) {
  if (!Get(vm).has_value()) return absl::OkStatus();
  absl::Status written = store_->Write({{Table::kSavedGuests, vm, std::nullopt}});
  if (!written.ok()) return written;
  MutexLock lock(&mu_);
  guests_.erase(vm);
  return absl::OkStatus();
}

}  // namespace vuf
