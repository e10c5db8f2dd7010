#include "server/security/tls_material.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/certificates.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsMaterialTest : public ::testing::Test {
 protected:
  std::string ErrorOf(const TlsMaterial& material) const {
    return std::string(CheckTlsMaterial(material, absl::Now()).status().message());
  }

  const TestCa ca_{"CA"};
  const TestCertificate agent_ = ca_.IssueAgent();
  const TlsMaterial good_{agent_.certificate, agent_.key, ca_.certificate()};
};

TEST_F(TlsMaterialTest, GoodOnesSayWhenTheyEnd) {
  const absl::StatusOr<TlsMaterial> checked = CheckTlsMaterial(good_, absl::Now());
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_LT(checked->not_after, absl::Now() + absl::Minutes(61));
  EXPECT_GT(checked->not_after, absl::Now() + absl::Minutes(59));
}

TEST_F(TlsMaterialTest, WhatSomeoneCutOffHalfwayIsNotTaken) {
  // The last newline is not needed.
  for (size_t size = 0; size + 1 < agent_.certificate.size(); ++size) {
    TlsMaterial cut = good_;
    cut.certificate_chain.resize(size);
    EXPECT_THAT(ErrorOf(cut), HasSubstr("tls.certificate_file: ")) << size;
  }
  const std::string next = ca_.certificate();
  for (size_t size = 1; size + 1 < next.size(); ++size) {
    TlsMaterial cut = good_;
    cut.certificate_chain += next.substr(0, size);
    EXPECT_THAT(ErrorOf(cut), HasSubstr("tls.certificate_file: ")) << size;
  }
}

TEST_F(TlsMaterialTest, ErrorsNameTheFieldAndNeverTheKey) {
  TlsMaterial bad = good_;
  bad.private_key = ca_.IssueAgent().key;
  EXPECT_THAT(ErrorOf(bad), AllOf(HasSubstr("tls.private_key_file: is not the key of"),
                                  Not(HasSubstr("PRIVATE KEY"))));
  bad.private_key = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";
  EXPECT_THAT(ErrorOf(bad), AllOf(HasSubstr("tls.private_key_file: "), Not(HasSubstr("secret"))));
  bad = good_;
  bad.ca = agent_.key;
  EXPECT_THAT(ErrorOf(bad), HasSubstr("tls.client_ca_file: has no certificate"));
}

TEST_F(TlsMaterialTest, TimeCounts) {
  EXPECT_THAT(std::string(CheckTlsMaterial(good_, absl::Now() + absl::Hours(2)).status().message()),
              HasSubstr("certificate 1 is expired since"));
  EXPECT_THAT(std::string(CheckTlsMaterial(good_, absl::Now() - absl::Hours(2)).status().message()),
              HasSubstr("certificate 1 is not valid before"));
}

}  // namespace
}  // namespace vuf
