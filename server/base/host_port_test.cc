#include "server/base/host_port.h"

#include <string>

#include "gtest/gtest.h"

namespace vuf {
namespace {

TEST(HostPortTest, GoodOnes) {
  for (const char* text :
       {"b.example:7443", "10.0.0.2:1", "[::1]:65535", "[fe80::1.2.3.4]:443", "host_1:80"}) {
    EXPECT_TRUE(IsHostPort(text)) << text;
  }
}

TEST(HostPortTest, BadOnes) {
  for (const char* text :
       {"", "host", ":80", "host:", "host:0", "host:080", "host:65536", "host:8o", "::1:80",
        "[]:80", "[::1:80", "[g::]:80", "a b:80", "unix:/run/x:80", "host:-1", "user@host:80"}) {
    EXPECT_FALSE(IsHostPort(text)) << text;
  }
  EXPECT_FALSE(IsHostPort(std::string(300, 'a') + ":80"));
}

}  // namespace
}  // namespace vuf
