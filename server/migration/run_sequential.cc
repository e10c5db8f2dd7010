// The sequential form up to its point of no return: the guest is in the file and the source quits.
#include "absl/strings/str_cat.h"
#include "server/convert/facts_record.h"
#include "server/migration/explain.h"
#include "server/migration/hand_over.h"
#include "server/migration/run.h"

namespace vuf {

absl::Status Run::SaveToFile() {
  absl::StatusOr<StateFile> file =
      StateFile::Create(migration_.destination().sequential().state_file());
  if (!file.ok()) return file.status();
  state_file_.emplace(*std::move(file));
  absl::Status outgoing = source_.StartOutgoing(state_file_->fd());
  outgoing_ = !absl::IsFailedPrecondition(outgoing);
  return Explain("migrate at the source", outgoing);
}

// `completed` says that QEMU wrote everything; that it stopped for good is seen at the keepers, so
// a source that ends between the two loses nothing.
absl::Status Run::ConfirmSaved() {
  if (absl::Status completed = AwaitSource("completed"); !completed.ok()) return completed;
  ShowOutcome(*parts_.ledger, name(), source_);
  return permits_.CheckSaved();
}

// In this order: the file is on the disk, then what it is and who may load it, then the state from
// which there is no way back. A restart between the last two goes back to the source.
absl::Status Run::CommitToFile() {
  const absl::StatusOr<uint64_t> size = state_file_->Sync();
  if (!size.ok()) return size.status();
  record::v1::SavedGuest guest;
  guest.set_vm(migration_.vm());
  guest.set_migration(name());
  guest.set_state_file(migration_.destination().sequential().state_file());
  guest.set_file_device(state_file_->id().device);
  guest.set_file_inode(state_file_->id().inode);
  guest.set_file_size(*size);
  *guest.mutable_source() = ToRecord(decided_.source);
  guest.set_was_running(guest_was_running());
  const absl::StatusOr<v1::Migration> record = parts_.ledger->Get(name());
  if (!record.ok()) return record.status();
  *guest.mutable_source_qemu() = record->source_qemu();
  *guest.mutable_permits() = record->permits();
  if (absl::Status kept = parts_.saved_guests->Put(guest); !kept.ok()) {
    return Explain("writing down what the state file is", kept);
  }
  if (!parts_.ledger->ClaimCommit(name())) return CheckStop();
  return Explain("writing the state AWAITING_DESTINATION",
                 parts_.ledger->Advance(name(), v1::Migration::STATE_AWAITING_DESTINATION));
}

std::string Run::RemoveStateFile(Return::Where where) {
  if (!state_file_.has_value()) return "";
  const std::string& path = migration_.destination().sequential().state_file();
  if (where != Return::Where::kSource && where != Return::Where::kSourceOther) {
    return absl::StrCat(" The state file ", path, " was left where it is.");
  }
  return ForgetSaved(*parts_.saved_guests, migration_.vm(), path);
}

}  // namespace vuf
