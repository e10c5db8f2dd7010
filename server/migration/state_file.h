// The file that a guest waits in between two QEMUs of a sequential migration.
#ifndef VUFD_SERVER_MIGRATION_STATE_FILE_H_
#define VUFD_SERVER_MIGRATION_STATE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/model/process.h"

namespace vuf {

// An open descriptor of it. Closes it at the end, and never removes the file.
class StateFile {
 public:
  // Makes it, mode 0600, open for writing only. FAILED_PRECONDITION: it exists, or its directory is
  // not one that only root or vufd's user may write: whoever may write there could put another
  // guest in its place.
  static absl::StatusOr<StateFile> Create(const std::string& path);
  // What Create would say, without making it.
  static absl::Status CheckNew(const std::string& path);
  // Opens it for reading only. DATA_LOSS: it is not the file that was written, or has another size.
  static absl::StatusOr<StateFile> Open(const std::string& path, const FileId& id, uint64_t size);
  // OK as well when it is not there.
  static absl::Status Remove(const std::string& path);

  StateFile(StateFile&& other) noexcept;
  StateFile& operator=(StateFile&&) = delete;
  ~StateFile();

  int fd() const { return fd_; }
  const FileId& id() const { return id_; }
  // On the disk, with its name, when it returns OK. Returns its size in bytes.
  absl::StatusOr<uint64_t> Sync() const;

 private:
  StateFile(std::string path, int fd, const FileId& id)
      : path_(std::move(path)), fd_(fd), id_(id) {}

  const std::string path_;
  int fd_;
  const FileId id_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_STATE_FILE_H_
