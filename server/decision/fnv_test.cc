#include "server/decision/fnv.h"

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace vuf {
namespace {

std::string HexOf(absl::string_view bytes) {
  Fnv digest;
  digest.Add(bytes);
  return digest.Hex();
}

// From the draft of FNV (draft-eastlake-fnv), 128 bits.
TEST(FnvTest, IsFnv1a) {
  EXPECT_EQ(HexOf(""), "6c62272e07bb014262b821756295c58d");
  EXPECT_EQ(HexOf("a"), "d228cb696f1a8caf78912b704e4a8964");
  EXPECT_EQ(HexOf("foobar"), "343e1662793c64bf6f0d3597ba446f18");
}

std::string SomeBytes(size_t count) {
  std::string bytes;
  unsigned seed = 7;
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1103515245 + 12345;
    bytes.push_back(static_cast<char>(seed >> 16));
  }
  return bytes;
}

// Behind every last byte, for the first and for the second time.
TEST(FnvTest, APieceAddsWhatItsBytesAdd) {
  for (const size_t count : {0, 1, 2, 7, 64, 3000}) {
    const std::string bytes = SomeBytes(count);
    const FnvPiece piece(bytes);
    for (int round = 0; round < 2; ++round) {
      for (int first = 0; first < 256; ++first) {
        Fnv expected;
        expected.Add(std::string(1, static_cast<char>(first)));
        Fnv digest = expected;
        expected.Add(bytes);
        piece.AddTo(digest);
        ASSERT_EQ(digest.Hex(), expected.Hex()) << count << " bytes behind " << first;
      }
    }
  }
}

TEST(FnvTest, ManyThreadsAddOnePiece) {
  const std::string bytes = SomeBytes(300);
  const FnvPiece piece(bytes);
  std::vector<std::string> got(8);
  std::vector<std::thread> threads;
  for (std::string& one : got) {
    threads.emplace_back([&piece, &one] {
      for (int first = 0; first < 256; ++first) {
        Fnv digest;
        digest.Add(std::string(1, static_cast<char>(first)));
        piece.AddTo(digest);
        one = digest.Hex();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Fnv expected;
  expected.Add(std::string(1, static_cast<char>(255)));
  expected.Add(bytes);
  for (const std::string& one : got) EXPECT_EQ(one, expected.Hex());
}

}  // namespace
}  // namespace vuf
