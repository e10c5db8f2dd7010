#include "server/audit/file_audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/audit/verify.h"
#include "server/base/log.h"
#include "server/store/state_directory.h"

namespace vuf {

FileAuditLog::FileAuditLog(Options options, const Clock* clock)
    : options_(std::move(options)), clock_(clock), hash_(FirstAuditHash()) {}

FileAuditLog::~FileAuditLog() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<FileAuditLog>> FileAuditLog::Open(Options options,
                                                                 const Clock* clock) {
  if (mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::UnavailableError(
        absl::StrCat("audit log: cannot make \"", options.directory, "\": ", strerror(errno)));
  }
  std::unique_ptr<FileAuditLog> log(new FileAuditLog(std::move(options), clock));
  MutexLock lock(&log->mu_);
  if (absl::Status resumed = log->Resume(); !resumed.ok()) return resumed;
  return log;
}

absl::Status FileAuditLog::Failed(const char* doing) const {
  return absl::UnavailableError(absl::StrCat("cannot ", doing, " \"", options_.directory, "/",
                                             AuditFileName(number_), "\": ", strerror(errno)));
}

absl::Status FileAuditLog::Resume() {
  const absl::StatusOr<std::vector<uint64_t>> files = AuditFiles(options_.directory);
  if (!files.ok()) return files.status();
  if (files->empty()) return BeginFile(1);
  const absl::StatusOr<bool> goes_on = ResumeFile(files->back());
  if (!goes_on.ok()) return goes_on.status();
  if (*goes_on && !ended_) return absl::OkStatus();
  if (!*goes_on) {
    Log(LogLevel::kError, "the audit log is damaged; a new file is begun",
        {{"file", AuditFileName(files->back())}});
  }
  return BeginFile(files->back() + 1);
}

absl::StatusOr<bool> FileAuditLog::ResumeFile(uint64_t number) {
  if (absl::Status opened = OpenFile(number); !opened.ok()) return opened;
  const AuditFileEnd end =
      ReadAuditFileEnd(absl::StrCat(options_.directory, "/", AuditFileName(number)));
  if (!end.good) return false;
  if (ftruncate(fd_, static_cast<off_t>(end.bytes)) != 0) return Failed("cut");
  begun_ = number;
  size_ = end.bytes;
  sequence_ = end.sequence;
  hash_ = end.hash;
  ended_ = end.has_next;
  return true;
}

absl::Status FileAuditLog::OpenFile(uint64_t number) {
  if (fd_ >= 0) close(fd_);
  number_ = number;
  const std::string path = absl::StrCat(options_.directory, "/", AuditFileName(number));
  fd_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  return fd_ >= 0 ? absl::OkStatus() : Failed("open");
}

uint64_t FileAuditLog::Oldest(uint64_t newest) const {
  return newest < options_.files ? 1 : newest - options_.files + 1;
}

absl::Status FileAuditLog::BeginFile(uint64_t number) {
  if (absl::Status opened = OpenFile(number); !opened.ok()) return opened;
  // Of an earlier attempt to begin it.
  if (ftruncate(fd_, 0) != 0) return Failed("cut");
  size_ = 0;
  AuditLine line;
  line.kind = AuditLine::Kind::kBegin;
  line.record.time = clock_->Now();
  line.file = number;
  line.oldest = Oldest(number);
  line.previous = hash_;
  if (absl::Status written = WriteLine(std::move(line)); !written.ok()) return written;
  if (absl::Status synced = SyncDirectory(options_.directory); !synced.ok()) {
    return absl::UnavailableError(synced.message());
  }
  begun_ = number;
  ended_ = false;
  RemoveOld();
  return absl::OkStatus();
}

absl::Status FileAuditLog::Rotate() {
  if (!ended_) {
    AuditLine line;
    line.kind = AuditLine::Kind::kNext;
    line.record.time = clock_->Now();
    if (absl::Status written = WriteLine(std::move(line)); !written.ok()) return written;
    ended_ = true;
  }
  return BeginFile(begun_ + 1);
}

void FileAuditLog::RemoveOld() {
  const absl::StatusOr<std::vector<uint64_t>> files = AuditFiles(options_.directory);
  if (!files.ok()) return;
  for (const uint64_t number : *files) {
    if (number >= Oldest(number_)) break;
    // One that stays is removed the next time.
    unlink(absl::StrCat(options_.directory, "/", AuditFileName(number)).c_str());
  }
}

absl::Status FileAuditLog::WriteAll(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = write(fd_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Failed("write to");
    done += static_cast<size_t>(wrote);
  }
  return fdatasync(fd_) == 0 ? absl::OkStatus() : Failed("sync");
}

absl::Status FileAuditLog::WriteLine(AuditLine line) {
  line.sequence = sequence_ + 1;
  std::string hash = hash_;
  const std::string text = WriteAuditLine(line, &hash);
  if (dirty_ && ftruncate(fd_, static_cast<off_t>(size_)) != 0) return Failed("cut");
  dirty_ = true;
  if (absl::Status written = WriteAll(text); !written.ok()) return written;
  dirty_ = false;
  size_ += text.size();
  sequence_ = line.sequence;
  hash_ = std::move(hash);
  return absl::OkStatus();
}

absl::Status FileAuditLog::Append(const AuditRecord& record) {
  MutexLock lock(&mu_);
  last_ = absl::OkStatus();
  if (ended_ || size_ >= options_.file_bytes) last_ = Rotate();
  if (last_.ok()) {
    AuditLine line;
    line.record = record;
    last_ = WriteLine(std::move(line));
  }
  if (!last_.ok()) options_.on_failure(last_);
  return last_;
}

absl::Status FileAuditLog::Ready() {
  MutexLock lock(&mu_);
  if (last_.ok()) return last_;
  // A new file needs all that a record needs: room, rights and a disk that works.
  last_ = Rotate();
  return last_;
}

}  // namespace vuf
