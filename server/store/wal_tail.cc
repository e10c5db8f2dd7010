#include "server/store/wal_tail.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

constexpr size_t kHeader = 32;
constexpr size_t kFrameHeader = 24;
// The last bit says in which byte order the checksums are computed.
constexpr uint32_t kMagic = 0x377f0682;
constexpr uint32_t kLargestPage = 65536;

uint32_t Big(const uint8_t* at) {
  return (uint32_t{at[0]} << 24) | (uint32_t{at[1]} << 16) | (uint32_t{at[2]} << 8) | at[3];
}
uint32_t Little(const uint8_t* at) {
  return (uint32_t{at[3]} << 24) | (uint32_t{at[2]} << 16) | (uint32_t{at[1]} << 8) | at[0];
}

// Each goes on from the one before.
struct Checksum {
  bool big = false;
  uint32_t s0 = 0;
  uint32_t s1 = 0;

  // `size` is a multiple of 8.
  void Add(const uint8_t* bytes, size_t size) {
    for (size_t i = 0; i + 8 <= size; i += 8) {
      s0 += (big ? Big(bytes + i) : Little(bytes + i)) + s1;
      s1 += (big ? Big(bytes + i + 4) : Little(bytes + i + 4)) + s0;
    }
  }
  bool Is(const uint8_t* bytes) const { return Big(bytes) == s0 && Big(bytes + 4) == s1; }
};

struct Header {
  size_t page_size = 0;
  std::array<uint8_t, 8> salt;
  Checksum checksum;
};

// Nothing: SQLite will not read this log at all.
std::optional<Header> ParseHeader(const std::array<uint8_t, kHeader>& bytes) {
  Header header;
  if ((Big(bytes.data()) & ~1U) != kMagic) return std::nullopt;
  header.page_size = Big(bytes.data() + 8);
  const bool power = (header.page_size & (header.page_size - 1)) == 0;
  if (header.page_size < 512 || header.page_size > kLargestPage || !power) return std::nullopt;
  memcpy(header.salt.data(), bytes.data() + 16, header.salt.size());
  header.checksum.big = (Big(bytes.data()) & 1U) != 0;
  header.checksum.Add(bytes.data(), 24);
  if (!header.checksum.Is(bytes.data() + 24)) return std::nullopt;
  return header;
}

struct FileCloser {
  void operator()(FILE* file) const { fclose(file); }
};

// Walks the frames; the tail is what follows the last one that ends a transaction.
WalTail Walk(FILE* file, Header header) {
  WalTail tail;
  std::vector<uint8_t> frame(kFrameHeader + header.page_size);
  uint64_t frames = 0;
  bool intact = true;
  while (const size_t got = fread(frame.data(), 1, frame.size(), file)) {
    // What an earlier round of the log left behind has another salt.
    const bool begun = got >= 8 + header.salt.size();
    if (!begun || memcmp(frame.data() + 8, header.salt.data(), header.salt.size()) != 0) break;
    tail.torn_bytes += got;
    if (got < frame.size()) break;
    header.checksum.Add(frame.data(), 8);
    header.checksum.Add(frame.data() + kFrameHeader, header.page_size);
    intact = intact && header.checksum.Is(frame.data() + 16);
    if (!intact) continue;
    ++frames;
    if (Big(frame.data() + 4) == 0) continue;
    tail.whole_frames = frames;
    tail.torn_bytes = 0;
  }
  return tail;
}

}  // namespace

absl::StatusOr<WalTail> ReadWalTail(const std::string& path) {
  const std::unique_ptr<FILE, FileCloser> file(fopen(path.c_str(), "rbe"));
  if (file == nullptr) {
    if (errno == ENOENT) return WalTail{};
    return absl::InternalError(absl::StrCat("cannot open \"", path, "\": ", strerror(errno)));
  }
  std::array<uint8_t, kHeader> bytes;
  const size_t got = fread(bytes.data(), 1, bytes.size(), file.get());
  if (got == 0) return WalTail{};
  const std::optional<Header> header =
      got == bytes.size() ? ParseHeader(bytes) : std::optional<Header>();
  if (!header.has_value()) return WalTail{0, got};
  return Walk(file.get(), *header);
}

}  // namespace vuf
