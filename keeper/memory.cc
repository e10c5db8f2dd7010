#include "keeper/memory.h"

#include <endian.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace vuf::keeper {
namespace {

// Where guest physical address 0 is for the back-end. Far from 0, so that no address is null.
constexpr uint64_t kBase = 0x100000000000ull;
// Above it nothing of a guest is expected; below, no sum of an address and a size overflows.
constexpr uint64_t kHighest = 1ull << 62;

bool Overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

bool Sane(const MemRegion& region) {
  return region.size > 0 && region.size < kHighest && region.guest_address < kHighest - kBase &&
         region.mmap_offset < kHighest && region.user_address < ~0ull - region.size;
}

size_t TableSize(size_t count) { return 8 + count * sizeof(MemRegion); }

Message TableMessage(const MemTable& table) {
  Message out = Message::Make(kSetMemTable, table);
  out.header.size = static_cast<uint32_t>(TableSize(table.count));
  return out;
}

}  // namespace

std::string GuestMemory::Take(Message& message) {
  MemTable table;
  if (message.header.size < TableSize(0)) return "the memory table is too short";
  memcpy(&table, message.payload.data(), TableSize(0));
  if (table.count == 0 || table.count > kMaxRegions) {
    return "a memory table of " + std::to_string(table.count) + " regions; 1 to " +
           std::to_string(kMaxRegions) + " are possible";
  }
  if (message.header.size != TableSize(table.count) || message.fd_count != table.count) {
    return "the memory table's size or its descriptors do not match its count";
  }
  memcpy(&table, message.payload.data(), TableSize(table.count));
  for (size_t i = 0; i < table.count; ++i) {
    const MemRegion& region = table.regions[i];
    if (!Sane(region)) return "a memory region has an impossible address or size";
    for (size_t j = 0; j < i; ++j) {
      const MemRegion& other = table.regions[j];
      if (Overlap(region.guest_address, region.size, other.guest_address, other.size) ||
          Overlap(region.user_address, region.size, other.user_address, other.size)) {
        return "two memory regions overlap";
      }
    }
  }
  for (size_t i = 0; i < kMaxRegions; ++i) {
    files_[i] = i < table.count ? std::move(message.fds[i]) : Fd();
  }
  regions_ = table.regions;
  count_ = table.count;
  return "";
}

const MemRegion* GuestMemory::Find(uint64_t user_address, uint64_t length, size_t& index) const {
  for (index = 0; index < count_; ++index) {
    const MemRegion& region = regions_[index];
    if (user_address < region.user_address) continue;
    const uint64_t offset = user_address - region.user_address;
    if (offset < region.size && region.size - offset >= length) return &region;
  }
  return nullptr;
}

std::optional<uint64_t> GuestMemory::ToBackEnd(uint64_t user_address) const {
  size_t index;
  const MemRegion* const region = Find(user_address, 1, index);
  if (region == nullptr) return std::nullopt;
  return kBase + region->guest_address + (user_address - region->user_address);
}

std::optional<uint16_t> GuestMemory::Read16(uint64_t user_address) const {
  uint16_t value;
  size_t index;
  const MemRegion* const region = Find(user_address, sizeof value, index);
  if (region == nullptr) return std::nullopt;
  const auto at = static_cast<off_t>(region->mmap_offset + (user_address - region->user_address));
  if (pread(files_[index].get(), &value, sizeof value, at) != sizeof value) return std::nullopt;
  return le16toh(value);
}

MemTable GuestMemory::Translated() const {
  MemTable table;
  table.count = static_cast<uint32_t>(count_);
  for (size_t i = 0; i < count_; ++i) {
    table.regions[i] = regions_[i];
    table.regions[i].user_address = kBase + regions_[i].guest_address;
  }
  return table;
}

std::optional<Message> GuestMemory::ForBackEnd() const {
  Message out = TableMessage(Translated());
  for (size_t i = 0; i < count_; ++i) {
    Fd file = files_[i].Duplicate();
    if (!file.valid()) return std::nullopt;
    out.Add(std::move(file));
  }
  return out;
}

std::optional<Message> GuestMemory::Placeholder() const {
  MemTable table = Translated();
  for (size_t i = 0; i < count_; ++i) table.regions[i].mmap_offset = 0;
  Message out = TableMessage(table);
  for (size_t i = 0; i < count_; ++i) {
    Fd file(memfd_create("vuf-keeper-placeholder", MFD_CLOEXEC));
    if (!file.valid() || ftruncate(file.get(), static_cast<off_t>(regions_[i].size)) != 0)
      return std::nullopt;
    out.Add(std::move(file));
  }
  return out;
}

}  // namespace vuf::keeper
