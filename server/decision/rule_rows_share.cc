// What is wrong with the shared directory or with the back-end's options.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {

void ShareRows(RuleRows& rows) {
  rows.push_back(
      {"share", [](Facts& f) { Be(Dst(f)).share.value->root.inode += 1; }, {"SHARE_DIFFERS"}});
  rows.push_back({"share elsewhere",
                  [](Facts& f) { Be(Dst(f)).share.value->root.device += 1; },
                  {"SHARE_DIFFERS"}});
  rows.push_back({"mount",
                  [](Facts& f) { Be(Dst(f)).share.value->mount_read_only = true; },
                  {"SHARE_MOUNT_DIFFERS"}});
  rows.push_back({"find-paths",
                  [](Facts& f) { Opt(Src(f), "migration-mode") = "find-paths"; },
                  {"SHARE_MAY_CHANGE"}});
  rows.push_back({"find-paths, verified",
                  [](Facts& f) {
                    Opt(Src(f), "migration-mode") = "find-paths";
                    Opt(Src(f), "migration-verify-handles") = "true";
                  },
                  {}});
  rows.push_back({"find-paths, read-only",
                  [](Facts& f) {
                    Opt(Src(f), "migration-mode") = "find-paths";
                    SetOption(f, "readonly", "true");
                  },
                  {}});
  rows.push_back({"mode",
                  [](Facts& f) { Opt(Src(f), "migration-mode") = "by-mail"; },
                  {"MIGRATION_MODE_UNKNOWN"}});
  rows.push_back({"CapEff",
                  [](Facts& f) { Be(Dst(f)).effective_capabilities.value = 0xdb; },
                  {"BACK_END_LACKS_DAC_READ_SEARCH"}});
  rows.push_back({"CapEff with find-paths",
                  [](Facts& f) {
                    Opt(Src(f), "migration-mode") = "find-paths";
                    Be(Dst(f)).effective_capabilities.value = 0;
                  },
                  {"SHARE_MAY_CHANGE"}});
  rows.push_back({"overlay",
                  [](Facts& f) {
                    Be(Src(f)).share.value->file_system = "overlay";
                    Be(Dst(f)).share.value->file_system = "overlay";
                  },
                  {"FILE_HANDLES_DOUBTFUL"}});
  rows.push_back({"guest-error",
                  [](Facts& f) { Opt(Dst(f), "migration-on-error") = "guest-error"; },
                  {"LOST_FILES_GO_UNNOTICED"}});
}

void OptionRows(RuleRows& rows) {
  rows.push_back({"thread pool",
                  [](Facts& f) { Opt(Src(f), "thread-pool-size") = "4"; },
                  {"BACK_END_HAS_THREAD_POOL"}});
  rows.push_back({"thread pool?",
                  [](Facts& f) { Opt(Src(f), "thread-pool-size") = "many"; },
                  {"BACK_END_HAS_THREAD_POOL"}});
  rows.push_back(
      {"ACL", [](Facts& f) { SetOption(f, "posix-acl", "auto"); }, {"BACK_END_HAS_POSIX_ACL"}});
  rows.push_back({"label",
                  [](Facts& f) { SetOption(f, "security-label", "always"); },
                  {"BACK_END_HAS_SECURITY_LABEL"}});
  rows.push_back({"off as it was written before 1.14",
                  [](Facts& f) {
                    Opt(Src(f), "security-label") = "false";
                    Opt(Src(f), "posix-acl") = "false";
                  },
                  {}});
  rows.push_back({"writeback",
                  [](Facts& f) { Opt(Src(f), "writeback") = "true"; },
                  {"NEGOTIATED_OPTION_MISSING"}});
  rows.push_back({"submounts",
                  [](Facts& f) { Opt(Dst(f), "announce-submounts") = "false"; },
                  {"NEGOTIATED_OPTION_MISSING"}});
  for (const char* name : {"readonly", "xattr", "xattrmap", "translate-uid", "uid-map"}) {
    rows.push_back(
        {name, [name](Facts& f) { Opt(Dst(f), name) = "true"; }, {"OPTION_DIFFERS_HARMFULLY"}});
  }
  for (const char* name : {"cache", "allow-mmap", "killpriv-v2", "rlimit-nofile"}) {
    rows.push_back({name, [name](Facts& f) { Opt(Dst(f), name) = "x"; }, {"OPTION_DIFFERS"}});
  }
  rows.push_back({"unheard of",
                  [](Facts& f) { Opt(Dst(f), "frobnicate") = "true"; },
                  {"OPTION_UNRECOGNISED_DIFFERS"}});
  rows.push_back(
      {"sandbox", [](Facts& f) { Opt(Dst(f), "sandbox") = "none"; }, {"SANDBOX_DIFFERS"}});
  rows.push_back({"handles",
                  [](Facts& f) { Opt(Dst(f), "inode-file-handles") = "never"; },
                  {"INODE_FILE_HANDLES_DIFFER"}});
  rows.push_back({"option not observed",
                  [](Facts& f) { Be(Src(f)).options.value->erase("thread-pool-size"); },
                  {"FACT_UNKNOWN"}});
}

}  // namespace vuf
