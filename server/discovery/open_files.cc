#include "server/discovery/open_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "server/discovery/procfs_io.h"

namespace vuf {
namespace {

constexpr char kDeleted[] = " (deleted)";
// Descriptors between two looks at the clock.
constexpr uint64_t kBatch = 1024;

// Length of the sequence that `first` begins, 0 for a byte that begins none.
size_t SequenceLength(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

// The first continuation byte excludes overlong forms, surrogates and what is past the last code
// point; the others are from 0x80 to 0xbf.
bool IsContinuation(unsigned char first, size_t index, unsigned char byte) {
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (index == 1) {
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  return byte >= low && byte <= high;
}

// The part of a link below `path`; empty for what is not below it.
absl::string_view Below(absl::string_view link, absl::string_view path) {
  if (path == "/") path = "";
  if (!absl::ConsumePrefix(&link, path) || !absl::ConsumePrefix(&link, "/")) return "";
  return link;
}

class Survey {
 public:
  explicit Survey(const Tree& tree) : tree_(tree) {}

  absl::Status Look(int directory, int fd) {
    const std::string name = absl::StrCat(fd);
    const absl::StatusOr<std::string> link = ReadLinkAt(directory, name);
    // A descriptor that closes meanwhile is no longer one of the process's.
    if (absl::IsNotFound(link.status())) return absl::OkStatus();
    if (!link.ok()) return link.status();
    ++facts_.looked_at;
    const absl::string_view below = Below(*link, tree_.path);
    const bool named_deleted = absl::EndsWith(below, kDeleted);
    const bool not_utf8 = !IsUtf8(below);
    if (below.empty() || (!named_deleted && !not_utf8)) return absl::OkStatus();
    struct statx found;
    // Follows the link to the file itself, without opening it or asking a file server.
    if (statx(directory, name.c_str(), AT_STATX_DONT_SYNC, STATX_NLINK | STATX_MNT_ID, &found) !=
        0) {
      return errno == ENOENT ? absl::OkStatus() : ErrnoStatus("stat", *link);
    }
    if (tree_.mount_ids.count(found.stx_mnt_id) == 0) return absl::OkStatus();
    if (not_utf8) ++facts_.not_utf8;
    // With another name left it can be found by that; it may also just be called so.
    if (named_deleted && found.stx_nlink == 0) {
      ++facts_.deleted;
      facts_.deleted_example = std::string(absl::StripSuffix(below, kDeleted));
    }
    return absl::OkStatus();
  }

  OpenFileFacts Take() { return std::move(facts_); }

 private:
  const Tree& tree_;
  OpenFileFacts facts_;
};

// Calls `look` for each descriptor, until it fails or the time is up.
template <typename Look>
absl::Status ForEachDescriptor(const Procfs& procfs, int pid, absl::Time deadline, Look look) {
  absl::Status status;
  uint64_t count = 0;
  const absl::Status listed = ForEachNumber(procfs.PathOf(pid, "fd"), [&](int directory, int fd) {
    if (!status.ok()) return;
    if (count++ % kBatch == 0 && absl::Now() >= deadline) {
      status = absl::DeadlineExceededError("no time left to look at its descriptors");
      return;
    }
    status = look(directory, fd);
  });
  return listed.ok() ? status : listed;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    const size_t length = SequenceLength(first);
    if (length == 0 || length > text.size()) return false;
    for (size_t i = 1; i < length; ++i) {
      if (!IsContinuation(first, i, static_cast<unsigned char>(text[i]))) return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

absl::StatusOr<uint64_t> CountDescriptors(const Procfs& procfs, int pid, absl::Time deadline) {
  uint64_t count = 0;
  const absl::Status status = ForEachDescriptor(procfs, pid, deadline, [&](int, int) {
    ++count;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return count;
}

absl::StatusOr<OpenFileFacts> LookAtOpenFiles(const Procfs& procfs, int pid, const Tree& tree,
                                              absl::Time deadline) {
  Survey survey(tree);
  const absl::Status status = ForEachDescriptor(
      procfs, pid, deadline, [&](int directory, int fd) { return survey.Look(directory, fd); });
  if (!status.ok()) return status;
  return survey.Take();
}

}  // namespace vuf
