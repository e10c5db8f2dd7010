#include "keeper/memory.h"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "keeper/testing/descriptors.h"

namespace vuf::keeper {
namespace {

constexpr uint64_t kBase = 0x100000000000ull;
constexpr uint64_t kPage = 4096;

// Two regions with a gap in guest addresses, next to each other in the front-end's.
class MemoryTest : public testing::Test {
 protected:
  MemoryTest() {
    regions_ = {{0, 16 * kPage, 0x7f0000000000, 0},
                {0x100000000, 4 * kPage, 0x7f0000000000 + 16 * kPage, 2 * kPage}};
    files_.push_back(Memory(16 * kPage));
    files_.push_back(Memory(6 * kPage));
  }

  Message Table() const {
    MemTable table;
    table.count = static_cast<uint32_t>(regions_.size());
    for (size_t i = 0; i < std::min(regions_.size(), kMaxRegions); ++i) {
      table.regions[i] = regions_[i];
    }
    Message out = Message::Make(kSetMemTable, table);
    out.header.size = static_cast<uint32_t>(8 + regions_.size() * sizeof(MemRegion));
    for (const Fd& file : files_) out.Add(file.Duplicate());
    return out;
  }
  std::string Take() {
    Message message = Table();
    return memory_.Take(message);
  }
  void Write(size_t file, uint64_t at, uint16_t value) {
    ASSERT_EQ(pwrite(files_[file].get(), &value, sizeof value, static_cast<off_t>(at)), 2);
  }

  std::vector<MemRegion> regions_;
  std::vector<Fd> files_;
  GuestMemory memory_;
};

TEST_F(MemoryTest, NothingIsInMemoryThatNobodyDescribed) {
  EXPECT_TRUE(memory_.empty());
  EXPECT_EQ(memory_.ToBackEnd(0), std::nullopt);
  EXPECT_EQ(memory_.Read16(0), std::nullopt);
}

TEST_F(MemoryTest, TranslatesByTheGuestsAddress) {
  ASSERT_EQ(Take(), "");
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000), kBase);
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 + 16 * kPage - 1), kBase + 16 * kPage - 1);
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 + 16 * kPage), kBase + 0x100000000);
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 + 20 * kPage - 1),
            kBase + 0x100000000 + 4 * kPage - 1);
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 + 20 * kPage), std::nullopt);
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 - 1), std::nullopt);
  EXPECT_EQ(memory_.ToBackEnd(0), std::nullopt);
  EXPECT_EQ(memory_.ToBackEnd(~0ull), std::nullopt);
}

TEST_F(MemoryTest, ReadsThroughTheDescriptor) {
  ASSERT_EQ(Take(), "");
  Write(0, 2, 0x1234);
  Write(1, 2 * kPage, 0x5678);
  EXPECT_EQ(memory_.Read16(0x7f0000000002), 0x1234);
  EXPECT_EQ(memory_.Read16(0x7f0000000000 + 16 * kPage), 0x5678);
  Write(0, 2, 0x4321);
  EXPECT_EQ(memory_.Read16(0x7f0000000002), 0x4321) << "it is not remembered";
}

TEST_F(MemoryTest, DoesNotReadAcrossRegions) {
  ASSERT_EQ(Take(), "");
  EXPECT_EQ(memory_.Read16(0x7f0000000000 + 16 * kPage - 2), 0);
  EXPECT_EQ(memory_.Read16(0x7f0000000000 + 16 * kPage - 1), std::nullopt);
  EXPECT_EQ(memory_.Read16(0x7f0000000000 + 20 * kPage - 1), std::nullopt);
  EXPECT_EQ(memory_.Read16(~0ull), std::nullopt);
}

TEST_F(MemoryTest, FileThatIsShorterThanItsRegionIsNotRead) {
  ASSERT_EQ(ftruncate(files_[1].get(), 3), 0);
  regions_[1].mmap_offset = 0;
  ASSERT_EQ(Take(), "");
  EXPECT_EQ(memory_.Read16(regions_[1].user_address), 0);
  EXPECT_EQ(memory_.Read16(regions_[1].user_address + 2), std::nullopt);
  EXPECT_EQ(memory_.Read16(regions_[1].user_address + kPage), std::nullopt);
}

TEST_F(MemoryTest, DescriptorThatIsNoFileIsNotRead) {
  files_[0] = MakePipe().read;
  ASSERT_EQ(Take(), "");
  EXPECT_EQ(memory_.Read16(regions_[0].user_address), std::nullopt);
}

TEST_F(MemoryTest, CountSizeAndDescriptorsMustAgree) {
  const auto refused = [](Message message) { return GuestMemory().Take(message) != ""; };
  const auto resized = [this](uint32_t size) {
    Message out = Table();
    out.header.size = size;
    return out;
  };
  EXPECT_FALSE(refused(Table()));
  for (const uint32_t size : {0u, 7u, 8u, 39u, 71u, 73u, 104u}) EXPECT_TRUE(refused(resized(size)));
  for (const uint32_t count : {0u, 1u, 3u, 9u, 0x08000000u, 0xffffffffu}) {
    Message other = Table();
    memcpy(other.payload.data(), &count, sizeof count);
    EXPECT_TRUE(refused(std::move(other))) << count;
  }
  files_.push_back(EventFd());
  EXPECT_TRUE(refused(Table())) << "a descriptor too many";
  files_.resize(1);
  EXPECT_TRUE(refused(Table())) << "a descriptor too few";
}

TEST_F(MemoryTest, AsManyRegionsAsAMessageHas) {
  regions_.clear();
  files_.clear();
  for (size_t i = 0; i < kMaxRegions; ++i) {
    regions_.push_back({i * kPage, kPage, 0x10000 + i * kPage, 0});
    files_.push_back(Memory(kPage));
  }
  EXPECT_EQ(Take(), "");
  EXPECT_EQ(memory_.ToBackEnd(0x10000 + 7 * kPage), kBase + 7 * kPage);
}

TEST_F(MemoryTest, ImpossibleRegionsAreRefused) {
  const std::vector<MemRegion> bad = {
      {0x100000000, 0, 0x1000, 0},
      {0x100000000, 1ull << 62, 0x1000, 0},
      {0x100000000, ~0ull, 0x1000, 0},
      {~0ull, kPage, 0x1000, 0},
      {1ull << 62, kPage, 0x1000, 0},
      {0x100000000, kPage, ~0ull - kPage, 0},
      {0x100000000, kPage, ~0ull, 0},
      {0x100000000, kPage, 0x1000, ~0ull},
      {0x100000000, kPage, 0x1000, 1ull << 62},
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    regions_[1] = bad[i];
    EXPECT_NE(Take(), "") << i;
  }
  EXPECT_TRUE(memory_.empty());
}

TEST_F(MemoryTest, OverlappingRegionsAreRefused) {
  const std::vector<MemRegion> safe = regions_;
  const std::vector<MemRegion> bad = {
      {15 * kPage, 4 * kPage, 0x1000, 0},
      {0, 1, 0x1000, 0},
      {0x100000000, 4 * kPage, safe[0].user_address + 16 * kPage - 1, 0},
      {0x100000000, 64 * kPage, safe[0].user_address - kPage, 0},
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    regions_ = {safe[0], bad[i]};
    EXPECT_EQ(Take(), "two memory regions overlap") << i;
    regions_ = {bad[i], safe[0]};
    EXPECT_EQ(Take(), "two memory regions overlap") << i;
  }
}

TEST_F(MemoryTest, RefusedTableLeavesTheOldOne) {
  ASSERT_EQ(Take(), "");
  Write(0, 0, 7);
  regions_[1] = regions_[0];
  EXPECT_NE(Take(), "");
  EXPECT_EQ(memory_.Read16(regions_[0].user_address), 7);
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 + 16 * kPage), kBase + 0x100000000);
}

TEST_F(MemoryTest, NewTableTakesTheOldOnesPlaceAndDescriptors) {
  const size_t before = OpenDescriptors();
  ASSERT_EQ(Take(), "");
  EXPECT_EQ(OpenDescriptors(), before + 2);
  regions_.pop_back();
  files_.pop_back();
  ASSERT_EQ(Take(), "");
  EXPECT_EQ(OpenDescriptors(), before) << "one of its own, and one of the test's less";
  EXPECT_EQ(memory_.ToBackEnd(0x7f0000000000 + 16 * kPage), std::nullopt);
}

TEST_F(MemoryTest, BackEndIsShownTheSameAddressesByEveryFrontEnd) {
  ASSERT_EQ(Take(), "");
  const std::optional<Message> first = memory_.ForBackEnd();
  for (MemRegion& region : regions_) region.user_address += 0x123456000;
  GuestMemory other;
  Message table = Table();
  ASSERT_EQ(other.Take(table), "");
  const std::optional<Message> second = other.ForBackEnd();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->header.size, 8u + 2 * 32);
  EXPECT_EQ(memcmp(first->payload.data(), second->payload.data(), first->header.size), 0);
  ASSERT_EQ(second->fd_count, 2u);
  EXPECT_TRUE(SameFile(second->fds[1], files_[1]));
  MemRegion region;
  memcpy(&region, &second->payload[8 + 32], sizeof region);
  EXPECT_EQ(region.user_address, kBase + 0x100000000);
  EXPECT_EQ(region.mmap_offset, 2 * kPage);
}

TEST_F(MemoryTest, PlaceholderHasTheSameShapeAndOtherMemory) {
  ASSERT_EQ(Take(), "");
  const std::optional<Message> out = memory_.Placeholder();
  ASSERT_TRUE(out.has_value());
  ASSERT_EQ(out->fd_count, 2u);
  for (size_t i = 0; i < 2; ++i) {
    MemRegion region;
    memcpy(&region, &out->payload[8 + 32 * i], sizeof region);
    EXPECT_EQ(region.guest_address, regions_[i].guest_address);
    EXPECT_EQ(region.user_address, kBase + regions_[i].guest_address);
    EXPECT_EQ(region.size, regions_[i].size);
    EXPECT_EQ(region.mmap_offset, 0u);
    EXPECT_FALSE(SameFile(out->fds[i], files_[i]));
    struct stat about;
    ASSERT_EQ(fstat(out->fds[i].get(), &about), 0);
    EXPECT_EQ(static_cast<uint64_t>(about.st_size), regions_[i].size);
    EXPECT_EQ(about.st_blocks, 0) << "it costs nothing";
  }
}

}  // namespace
}  // namespace vuf::keeper
