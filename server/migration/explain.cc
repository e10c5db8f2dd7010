#include "server/migration/explain.h"

#include "server/convert/convert.h"

namespace vuf {
namespace {

void FillProgress(const MigrationInfo& info, v1::Progress& progress) {
  progress.set_ram_transferred_bytes(info.ram_transferred);
  progress.set_ram_remaining_bytes(info.ram_remaining);
  progress.set_ram_total_bytes(info.ram_total);
  progress.set_dirty_sync_count(info.dirty_sync_count);
  progress.set_cpu_throttle_percentage(static_cast<uint32_t>(info.cpu_throttle));
  progress.set_qemu_status(info.status);
  progress.clear_expected_downtime();
  if (info.expected_downtime.has_value() && info.status == "active") {
    *progress.mutable_expected_downtime() = ToProto(*info.expected_downtime);
  }
  if (info.downtime.has_value()) *progress.mutable_downtime() = ToProto(*info.downtime);
  if (info.total_time.has_value() && info.status == "completed") {
    *progress.mutable_total_time() = ToProto(*info.total_time);
  }
}

}  // namespace

void ShowProgress(Ledger& ledger, const std::string& migration, const MigrationInfo& info) {
  ledger.Show(migration,
              [&](v1::Migration& shown) { FillProgress(info, *shown.mutable_progress()); });
}

}  // namespace vuf
