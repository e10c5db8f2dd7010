// What is wrong with the shared directory or with the back-end's options.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

// Files travel by their paths, which nobody can change meanwhile.
void FindPaths(Facts& f) {
  Opt(Src(f), "migration-mode") = "find-paths";
  SetOption(f, "readonly", "true");
}

}  // namespace

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
  rows.push_back({"FUSE",
                  [](Facts& f) {
                    Be(Src(f)).share.value->file_system = "fuse.sshfs";
                    Be(Dst(f)).share.value->file_system = "fuse.sshfs";
                  },
                  {"FILE_HANDLES_DOUBTFUL"}});
  rows.push_back({"no handles",
                  [](Facts& f) { Be(Src(f)).file_handles.value = false; },
                  {"FILE_HANDLES_UNAVAILABLE"}});
  rows.push_back({"no handles to verify",
                  [](Facts& f) {
                    Be(Src(f)).file_handles.value = false;
                    Opt(Src(f), "migration-mode") = "find-paths";
                    Opt(Src(f), "migration-verify-handles") = "true";
                  },
                  {"FILE_HANDLES_UNAVAILABLE"}});
  rows.push_back({"no handles, and none needed",
                  [](Facts& f) {
                    Be(Src(f)).file_handles.value = false;
                    FindPaths(f);
                  },
                  {}});
  rows.push_back({"guest-error",
                  [](Facts& f) { Opt(Dst(f), "migration-on-error") = "guest-error"; },
                  {"LOST_FILES_GO_UNNOTICED"}});
}

void FileRows(RuleRows& rows) {
  rows.push_back({"deleted files",
                  [](Facts& f) {
                    FindPaths(f);
                    *Be(Src(f)).open_files.value = {40, 2, "/work/scratch"};
                  },
                  {"DELETED_FILES_OPEN"}});
  rows.push_back({"deleted files, by handle",
                  [](Facts& f) {
                    *Be(Src(f)).open_files.value = {40, 2, "/work/scratch"};
                  },
                  {}});
  rows.push_back({"names",
                  [](Facts& f) {
                    FindPaths(f);
                    Be(Src(f)).open_files.value->not_utf8 = 1;
                  },
                  {"FILE_NAMES_NOT_UTF8"}});
  rows.push_back({"open files not looked at",
                  [](Facts& f) {
                    FindPaths(f);
                    Be(Src(f)).open_files = Unknown<OpenFileFacts>("not allowed");
                  },
                  {"FACT_UNKNOWN"}});
  rows.push_back({"no descriptor looked at",
                  [](Facts& f) {
                    FindPaths(f);
                    *Be(Src(f)).open_files.value = {};
                  },
                  {"FACT_UNKNOWN"}});
  for (const bool source : {true, false}) {
    rows.push_back(
        {"submount",
         [source](Facts& f) { Be(source ? Src(f) : Dst(f)).submounts.value->insert("data: ext4"); },
         {"SUBMOUNTS_DIFFER"}});
  }
  rows.push_back({"submount on both sides",
                  [](Facts& f) {
                    Be(Src(f)).submounts.value->insert("data: ext4");
                    Be(Dst(f)).submounts.value->insert("data: ext4");
                  },
                  {}});
}

void ProcessRows(RuleRows& rows) {
  rows.push_back({"descriptor limit",
                  [](Facts& f) { Be(Dst(f)).descriptors.value->limit = 39; },
                  {"DESCRIPTOR_LIMIT_TOO_LOW"}});
  rows.push_back(
      {"just enough descriptors", [](Facts& f) { Be(Dst(f)).descriptors.value->limit = 40; }, {}});
  rows.push_back({"many files",
                  [](Facts& f) { Be(Src(f)).descriptors.value->open = 10'001; },
                  {"MANY_DESCRIPTORS"}});
  rows.push_back(
      {"not so many", [](Facts& f) { Be(Src(f)).descriptors.value->open = 10'000; }, {}});
  for (const char* name : {"uid", "gid", "uid_map", "gid_map"}) {
    rows.push_back({name,
                    [name](Facts& f) { Be(Dst(f)).ids.value->at(name) = "1000"; },
                    {"BACK_END_IDS_DIFFER"}});
    rows.push_back(
        {name, [name](Facts& f) { Be(Src(f)).ids.value->erase(name); }, {"FACT_UNKNOWN"}});
  }
  rows.push_back({"security label",
                  [](Facts& f) { *Be(Dst(f)).security_label.value = "unconfined"; },
                  {"BACK_END_LABEL_DIFFERS"}});
  rows.push_back({"unknown security label",
                  [](Facts& f) { Be(Dst(f)).security_label = Unknown<std::string>("no access"); },
                  {"WARNINGS_INCOMPLETE"}});
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
