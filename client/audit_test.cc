// vufctl audit, on files that vufd's own log has written; and the flags of TLS.
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/testing/vufctl_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/audit/file_audit_log.h"
#include "server/base/clock.h"
#include "tests/testing/temp_directory.h"

namespace vuf::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Result RunWords(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err};
  const int code = RunVufctl(words, terminal);
  return {code, out.str(), err.str()};
}

class AuditTest : public ::testing::Test {
 protected:
  AuditTest() {
    FileAuditLog::Options options;
    options.directory = directory_.Path("audit");
    const auto log = FileAuditLog::Open(options, &clock_);
    EXPECT_TRUE(log.ok()) << log.status();
    for (const char* const vm : {"vms/a", "vms/b", "vms/c"}) {
      EXPECT_TRUE(
          (*log)
              ->Append({clock_.Now(), "uid:0", "vuf.v1.VmService/RemoveVm", vm, "", "OK", ""})
              .ok());
    }
  }
  void Change(const std::string& from, const std::string& to) {
    std::ifstream in(directory_.Path("audit/audit-00000001.log"));
    const std::string text(std::istreambuf_iterator<char>(in), {});
    std::ofstream(directory_.Path("audit/audit-00000001.log"))
        << absl::StrReplaceAll(text, {{from, to}});
  }
  Result Audit(const std::string& verb, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"audit", verb, "--directory=" + directory_.Path("audit")};
    words.insert(words.end(), more.begin(), more.end());
    return RunWords(words);
  }

  TempDirectory directory_;
  SystemClock clock_;
};

TEST_F(AuditTest, ListShowsTheNewest) {
  const Result result = Audit("list", {"--limit=2"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("OK  uid:0  vuf.v1.VmService/RemoveVm  vms/b\n"),
                                HasSubstr("vms/c\n"), Not(HasSubstr("vms/a"))));
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_THAT(Audit("list", {"--output=json"}).out, HasSubstr("\"resource\": \"vms/a\""));
}

TEST_F(AuditTest, VerifySaysWhatWasChanged) {
  const Result whole = Audit("verify");
  EXPECT_EQ(whole.code, kExitOk);
  EXPECT_THAT(whole.out, HasSubstr("3 records in 1 files; head "));
  Change("vms/b", "vms/x");
  const Result changed = Audit("verify");
  EXPECT_EQ(changed.code, kExitRefused);
  EXPECT_THAT(changed.out, HasSubstr("PROBLEM  audit-00000001.log line 3: "));
  EXPECT_THAT(Audit("list").err, HasSubstr("tampered"));
}

TEST_F(AuditTest, NotedHeadMustBeThere) {
  const std::string out = Audit("verify").out;
  const std::string head = out.substr(out.find("head ") + 5, 64);
  EXPECT_EQ(Audit("verify", {"--head=" + head}).code, kExitOk);
  EXPECT_EQ(Audit("verify", {"--head=0123"}).code, kExitRefused);
}

TEST_F(AuditTest, NoLogIsAnError) {
  EXPECT_EQ(RunWords({"audit", "verify", "--directory=" + directory_.Path("none")}).code,
            kExitError);
}

TEST(AddressTest, NeedsACertificate) {
  const Result result = RunWords({"vms", "--address=host:7473", "--ca=/x"});
  EXPECT_EQ(result.code, kExitUsage);
  EXPECT_THAT(result.err, HasSubstr("needs --ca, --certificate and --key"));
  EXPECT_EQ(RunWords({"vms", "--address=a:1", "--server=unix:/x"}).code, kExitUsage);
  EXPECT_THAT(RunWords({"vms", "--address=a", "--ca=/x", "--certificate=/x", "--key=/x"}).err,
              HasSubstr("want HOST:PORT"));
}

TEST(AddressTest, TcpWithoutTlsIsRefused) {
  EXPECT_THAT(RunWords({"vms", "--server=host:7473"}).err, HasSubstr("want unix:PATH"));
}

}  // namespace
}  // namespace vuf::cli
