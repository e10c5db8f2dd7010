#include "server/audit/verify.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

// A record's texts are cut; a line that is longer is not one of the log.
constexpr size_t kMaxLine = 64 << 10;

absl::Status CannotRead(const std::string& path, int error) {
  const std::string message = absl::StrCat("cannot read \"", path, "\": ", strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::FailedPreconditionError(message);
}

// The next line without its newline; false at the end, and for a last line without one.
bool NextLine(std::istream& file, std::string* line) {
  line->clear();
  for (int c = file.get(); c != EOF; c = file.get()) {
    if (c == '\n') return true;
    if (line->size() < kMaxLine) line->push_back(static_cast<char>(c));
  }
  return false;
}

// Goes through the files in their order and remembers what the next line must fit to.
class Verifier {
 public:
  Verifier(std::string expected, const std::function<void(const AuditLine&)>& on_line)
      : expected_(std::move(expected)), on_line_(on_line) {}

  absl::Status ReadFile(const std::string& directory, uint64_t number) {
    const std::string path = absl::StrCat(directory, "/", AuditFileName(number));
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return CannotRead(path, errno);
    StartFile(number);
    std::string text;
    while (NextLine(file, &text)) Line(text);
    if (line_ == 0) Problem("the file has no line");
    if (file.bad()) return CannotRead(path, errno);
    return absl::OkStatus();
  }

  AuditReport Finish() {
    if (has_next_) {
      line_ = 0;
      file_ = last_file_ + 1;
      Problem("the file is missing: the one before says that it follows");
    } else if (oldest_ < first_file_) {
      line_ = 0;
      file_ = oldest_;
      Problem(absl::StrCat("the file is missing: ", AuditFileName(last_file_),
                           " says that it is kept"));
    }
    report_.head = hash_;
    return std::move(report_);
  }

 private:
  void StartFile(uint64_t number) {
    line_ = 0;
    if (last_file_ == 0) {
      first_file_ = number;
      // Only the very first one is known to follow from nothing.
      known_ = number == 1;
    } else {
      for (file_ = last_file_ + 1; file_ < number; ++file_) {
        Problem("the file is missing");
        known_ = false;
        if (report_.problems.size() >= AuditReport::kMaxProblems) break;
      }
      if (!has_next_ && known_) {
        file_ = last_file_;
        Problem("the end of the file is missing: its last line does not lead on to the next file");
      }
    }
    file_ = last_file_ = number;
    has_next_ = false;
    ++report_.files;
  }

  void Line(const std::string& text) {
    ++line_;
    std::string hash;
    std::string json;
    const std::optional<AuditLine> line = ReadAuditLine(text, &hash, &json);
    if (!line.has_value()) {
      Problem("is no line of the audit log");
      known_ = false;
      return;
    }
    const bool begins = line->kind == AuditLine::Kind::kBegin;
    if (begins != (line_ == 1)) {
      Problem(begins ? "is the beginning of another file" : "the beginning of the file is missing");
    }
    if (begins) Begin(*line);
    if (AuditHash(hash_, json) != hash) {
      Problem(known_ ? "does not follow from the line before: one of them was changed, or a line "
                       "between them is missing"
                     : "was changed, or does not follow from the line before");
    } else if (line->sequence != sequence_ + 1 && known_) {
      Problem(absl::StrCat("has number ", line->sequence, " after ", sequence_));
    }
    has_next_ = line->kind == AuditLine::Kind::kNext;
    known_ = true;
    hash_ = hash;
    sequence_ = line->sequence;
    report_.has_expected = report_.has_expected || hash == expected_;
    if (line->kind == AuditLine::Kind::kCall) ++report_.records;
    on_line_(*line);
  }

  void Begin(const AuditLine& line) {
    if (line.file != file_) {
      Problem(absl::StrCat("belongs to ", AuditFileName(line.file)));
    }
    oldest_ = line.oldest;
    if (known_ && line.previous != hash_) {
      Problem("does not follow from the last line of the file before");
    }
    // What follows is judged by itself, so that one loss is told once.
    if (!known_ || line.previous != hash_) {
      hash_ = line.previous;
      sequence_ = line.sequence - 1;
    }
  }

  void Problem(absl::string_view what) {
    if (report_.problems.size() >= AuditReport::kMaxProblems) return;
    report_.problems.push_back(absl::StrCat(
        AuditFileName(file_), line_ == 0 ? "" : absl::StrCat(" line ", line_), ": ", what));
  }

  const std::string expected_;
  const std::function<void(const AuditLine&)>& on_line_;
  AuditReport report_;
  uint64_t first_file_ = 0;
  uint64_t last_file_ = 0;
  uint64_t file_ = 0;
  uint64_t line_ = 0;
  uint64_t oldest_ = UINT64_MAX;
  uint64_t sequence_ = 0;
  std::string hash_ = FirstAuditHash();
  // Whether `hash_` and `sequence_` are those of the line before. Not so at the first file, when
  // earlier ones have been removed.
  bool known_ = false;
  bool has_next_ = false;
};

}  // namespace

absl::StatusOr<std::vector<uint64_t>> AuditFiles(const std::string& directory) {
  errno = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()), &closedir);
  if (open == nullptr) return CannotRead(directory, errno);
  std::vector<uint64_t> files;
  while (const dirent* entry = readdir(open.get())) {
    if (const uint64_t number = AuditFileNumber(entry->d_name); number != 0) {
      files.push_back(number);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<AuditReport> VerifyAudit(const std::string& directory, const std::string& expected,
                                        const std::function<void(const AuditLine&)>& on_line) {
  const absl::StatusOr<std::vector<uint64_t>> files = AuditFiles(directory);
  if (!files.ok()) return files.status();
  if (files->empty()) {
    return absl::NotFoundError(
        absl::StrCat("\"", directory, "\" has no file of an audit log, though vufd makes one"));
  }
  Verifier verifier(expected, on_line);
  for (const uint64_t number : *files) {
    if (absl::Status read = verifier.ReadFile(directory, number); !read.ok()) return read;
  }
  // vufd may have gone on to the next one meanwhile.
  const uint64_t next = files->back() + 1;
  if (access(absl::StrCat(directory, "/", AuditFileName(next)).c_str(), F_OK) == 0) {
    if (absl::Status read = verifier.ReadFile(directory, next); !read.ok()) return read;
  }
  return verifier.Finish();
}

AuditFileEnd ReadAuditFileEnd(const std::string& path) {
  AuditFileEnd end;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::string json;
  for (uint64_t bytes = 0; NextLine(file, &text);) {
    bytes += text.size() + 1;
    const std::optional<AuditLine> line = ReadAuditLine(text, &end.hash, &json);
    end.good = line.has_value();
    if (!end.good) continue;
    end.bytes = bytes;
    end.sequence = line->sequence;
    end.has_next = line->kind == AuditLine::Kind::kNext;
  }
  return end;
}

}  // namespace vuf
