#include "keeper/marker.h"

#include <zlib.h>

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace vuf::keeper {
namespace {

Marker Example() {
  Marker out;
  for (uint8_t i = 0; i < 16; ++i) {
    out.instance[i] = i;
    out.session[i] = static_cast<uint8_t>(0x40 + i);
    out.nonce[i] = static_cast<uint8_t>(0x80 + i);
  }
  out.permit = "5f3a-permit";
  return out;
}

// Changes bytes and makes the checksum right again, as somebody with intent would.
MarkerBytes Forged(const Marker& marker, size_t at, const std::string& bytes) {
  MarkerBytes out = Encode(marker);
  std::copy(bytes.begin(), bytes.end(), out.begin() + at);
  const auto sum = static_cast<uint32_t>(crc32(0, out.data(), 124));
  for (int i = 0; i < 4; ++i) out[124 + i] = static_cast<uint8_t>(sum >> (8 * i));
  return out;
}

std::string Read(const MarkerBytes& bytes) {
  Marker out;
  return Decode(bytes, out);
}

TEST(Marker, IsReadAsItWasWritten) {
  for (const MarkerMode mode : {MarkerMode::kStateless, MarkerMode::kStateful}) {
    for (const std::string& permit : {std::string("x"), std::string(kMaxPermit, 'p')}) {
      Marker marker = Example();
      marker.mode = mode;
      marker.permit = permit;
      Marker read;
      EXPECT_EQ(Decode(Encode(marker), read), "");
      EXPECT_TRUE(read == marker);
    }
  }
}

// docs/marker.md; another keeper reads it, so it never moves.
TEST(Marker, StandsWhereItsDocumentationSays) {
  const MarkerBytes bytes = Encode(Example());
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_EQ(text.substr(0, 8), std::string("VUFKEEP\0", 8));
  EXPECT_EQ(text.substr(8, 8), std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes[16], 0u);
  EXPECT_EQ(bytes[31], 15u);
  EXPECT_EQ(bytes[32], 0x40u);
  EXPECT_EQ(text.substr(48, 40), "5f3a-permit" + std::string(29, '\0'));
  EXPECT_EQ(bytes[88], 0x80u);
  EXPECT_EQ(text.substr(104, 20), std::string(20, '\0'));
  EXPECT_EQ(Forged(Example(), 0, ""), bytes);
}

TEST(Marker, EveryFlippedBitIsRefused) {
  const MarkerBytes good = Encode(Example());
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      MarkerBytes bad = good;
      bad[i] ^= static_cast<uint8_t>(1 << bit);
      EXPECT_NE(Read(bad), "") << "byte " << i << " bit " << bit;
    }
  }
}

TEST(Marker, OtherStatesAreNoMarkers) {
  EXPECT_NE(Read(MarkerBytes()), "");
  MarkerBytes noise;
  noise.fill(0xff);
  EXPECT_NE(Read(noise), "");
}

TEST(Marker, OtherVersionsAreRefusedWhateverElseTheySay) {
  for (const std::string& version :
       {std::string("\0\0\0\0", 4), std::string("\2\0\0\0", 4), std::string("\1\0\0\1", 4)}) {
    const std::string why = Read(Forged(Example(), 8, version));
    EXPECT_NE(why.find("version"), std::string::npos) << why;
  }
  // Before the checksum is looked at: a future version may have it elsewhere.
  MarkerBytes future = Encode(Example());
  future[8] = 2;
  EXPECT_NE(Read(future).find("version 2"), std::string::npos);
}

TEST(Marker, UnknownModeAndReservedBytesAreRefused) {
  EXPECT_EQ(Read(Forged(Example(), 12, "\1")), "");
  EXPECT_NE(Read(Forged(Example(), 12, "\2")), "");
  EXPECT_NE(Read(Forged(Example(), 15, "\1")), "");
  for (size_t at = 104; at < 124; ++at) EXPECT_NE(Read(Forged(Example(), at, "\1")), "") << at;
}

// A permit goes into log lines and answers to vufd, which must be text.
TEST(Marker, APermitIsPrintableAndPaddedWithZeros) {
  EXPECT_NE(Read(Forged(Example(), 48, std::string(40, '\0'))), "");
  EXPECT_NE(Read(Forged(Example(), 48, std::string(40, 'p'))), "");
  EXPECT_NE(Read(Forged(Example(), 48, "\xff")), "");
  EXPECT_NE(Read(Forged(Example(), 48, "\n")), "");
  EXPECT_NE(Read(Forged(Example(), 80, "x")), "") << "something behind the end";
}

TEST(Marker, DifferenceNamesTheFirstThatMatters) {
  EXPECT_EQ(Difference(Example(), Example()), "");
  const auto spoiled = [](auto&& spoil) {
    Marker other = Example();
    spoil(other);
    return Difference(Example(), other);
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {spoiled([](Marker& m) { m.mode = MarkerMode::kStateful; }), "mode"},
      {spoiled([](Marker& m) { m.instance[15] ^= 1; }), "another vuf-keeper"},
      {spoiled([](Marker& m) { m.session[15] ^= 1; }), "another session"},
      {spoiled([](Marker& m) { m.permit = "other"; }), "permit other"},
      {spoiled([](Marker& m) { m.nonce[15] ^= 1; }), "an old one"},
      {spoiled([](Marker& m) { m.instance[0] = m.session[0] = 9; }), "another vuf-keeper"},
  };
  for (const auto& [why, part] : cases) EXPECT_NE(why.find(part), std::string::npos) << why;
}

}  // namespace
}  // namespace vuf::keeper
