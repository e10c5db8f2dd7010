#include "server/discovery/back_end_options.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace vuf {
namespace {

using Names = std::set<std::string>;

// Long options that never take a value.
const Names& Flags() {
  static const Names* const names = new Names{
      "xattr",
      "readonly",
      "allow-mmap",
      "announce-submounts",
      "syslog",
      "no-announce-submounts",
      "writeback",
      "no-readdirplus",
      "killpriv-v2",
      "no-killpriv-v2",
      "debug",
      "foreground",
      "daemonize",
      "print-capabilities",
      "help",
      "version",
      "allow-direct-io",
      "preserve-noatime",
      "migration-verify-handles",
      "migration-confirm-paths",
  };
  return *names;
}

// Flags of old versions, later with an optional "=never|auto|always".
const Names& Negotiated() {
  static const Names* const names = new Names{"posix-acl", "security-label"};
  return *names;
}

const Names& Repeated() {
  static const Names* const names =
      new Names{"uid-map", "gid-map", "translate-uid", "translate-gid"};
  return *names;
}

const BackEndOptions& RustDefaults() {
  static const BackEndOptions* const defaults = new BackEndOptions{
      {"allow-direct-io", "false"},
      {"allow-mmap", "false"},
      {"announce-submounts", "true"},
      {"cache", "auto"},
      {"killpriv-v2", "false"},
      {"migration-confirm-paths", "false"},
      {"migration-mode", "find-paths"},
      {"migration-on-error", "abort"},
      {"migration-verify-handles", "false"},
      {"no-readdirplus", "false"},
      {"posix-acl", "never"},
      {"preserve-noatime", "false"},
      {"readonly", "false"},
      {"sandbox", "namespace"},
      {"seccomp", "kill"},
      {"security-label", "never"},
      {"thread-pool-size", "0"},
      {"writeback", "false"},
      {"xattr", "false"},
  };
  return *defaults;
}

// killpriv-v2 and readdirplus are left out: their defaults depend on the guest and on the cache.
const BackEndOptions& CDefaults() {
  static const BackEndOptions* const defaults = new BackEndOptions{
      {"allow-direct-io", "false"},
      {"announce-submounts", "false"},
      {"cache", "auto"},
      {"flock", "false"},
      {"posix-acl", "never"},
      {"posix-lock", "false"},
      {"sandbox", "namespace"},
      {"security-label", "never"},
      {"thread-pool-size", "0"},
      {"writeback", "false"},
      {"xattr", "false"},
  };
  return *defaults;
}

void Append(BackEndOptions& options, const std::string& name, absl::string_view value) {
  std::string& all = options[name];
  if (!all.empty()) all += ' ';
  all += std::string(value);
}

// Reads the words of one command line; legacy "-o" strings are collected for later, because the
// Rust daemon lets them override the long options wherever they stand.
class Words {
 public:
  explicit Words(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  void Read() {
    while (next_ < arguments_.size()) {
      const absl::string_view word = arguments_[next_++];
      if (only_arguments_ || word.size() < 2 || word[0] != '-') {
        Append(options, "", word);
      } else if (word == "--") {
        only_arguments_ = true;
      } else if (absl::StartsWith(word, "--")) {
        ReadLong(word.substr(2));
      } else {
        ReadShort(word.substr(1));
      }
    }
  }

  BackEndOptions options;
  std::vector<std::string> legacy;

 private:
  void ReadLong(absl::string_view word) {
    const size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    if (equals != absl::string_view::npos) {
      Set(name, word.substr(equals + 1));
    } else if (Negotiated().count(name) != 0) {
      Set(name, "always");
    } else if (Flags().count(name) != 0 || !HasValue()) {
      Set(name, "true");
    } else {
      Set(name, arguments_[next_++]);
    }
  }

  void ReadShort(absl::string_view letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
      if (letters[i] != 'o') {
        Set(std::string(1, letters[i]), "true");
        continue;
      }
      absl::string_view value = letters.substr(i + 1);
      if (!absl::ConsumePrefix(&value, "=") && value.empty() && next_ < arguments_.size()) {
        value = arguments_[next_++];
      }
      legacy.emplace_back(value);
      return;
    }
  }

  // An unknown option takes the next word unless that is an option: virtiofsd has no arguments
  // of its own, so the word belongs to somebody.
  bool HasValue() const {
    return next_ < arguments_.size() && !absl::StartsWith(arguments_[next_], "-");
  }

  void Set(const std::string& name, absl::string_view value) {
    if (Repeated().count(name) != 0) {
      Append(options, name, value);
    } else {
      options[name] = std::string(value);
    }
  }

  const std::vector<std::string>& arguments_;
  size_t next_ = 1;
  bool only_arguments_ = false;
};

// The parts of "a,b=c"; the C daemon, not the Rust one, takes "\," for a comma.
std::vector<std::string> LegacyParts(BackEndKind kind, absl::string_view text) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (kind == BackEndKind::kVirtiofsdC && text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

std::string LegacyName(absl::string_view name) {
  if (name == "source") return "shared-dir";
  if (name == "loglevel" || name == "log_level") return "log-level";
  return absl::StrReplaceAll(name, {{"_", "-"}});
}

void ApplyLegacyPart(const std::string& part, BackEndOptions& options) {
  if (part.empty()) return;
  const size_t equals = part.find('=');
  std::string name = LegacyName(part.substr(0, equals));
  if (equals != std::string::npos) {
    options[name] = part.substr(equals + 1);
    return;
  }
  absl::string_view positive = name;
  const bool off = absl::ConsumePrefix(&positive, "no-");
  if (positive == "readdirplus") {
    options["no-readdirplus"] = off ? "true" : "false";
  } else if (Negotiated().count(std::string(positive)) != 0) {
    options[std::string(positive)] = off ? "never" : "always";
  } else {
    options[std::string(positive)] = off ? "false" : "true";
  }
}

void Replace(BackEndOptions& options, const std::string& from, const std::string& to,
             const std::string& value) {
  if (options.erase(from) != 0) options[to] = value;
}

void Rename(BackEndOptions& options, const std::string& from, const std::string& to) {
  auto node = options.extract(from);
  if (!node) return;
  node.key() = to;
  options.insert(std::move(node));
}

// Old spellings of a value.
void ModernizeValues(BackEndOptions& options) {
  const auto modernize = [&options](const std::string& name, absl::string_view from,
                                    const std::string& to) {
    const auto it = options.find(name);
    if (it != options.end() && it->second == from) it->second = to;
  };
  modernize("cache", "none", "never");
  modernize("inode-file-handles", "fallback", "prefer");
  for (const std::string& name : Negotiated()) {
    modernize(name, "true", "always");
    modernize(name, "false", "never");
  }
}

void ApplyImplications(BackEndOptions& options) {
  const bool implied = options.count("xattrmap") != 0 || options["posix-acl"] != "never" ||
                       options["security-label"] != "never";
  if (implied) options["xattr"] = "true";
}

}  // namespace

BackEndOptions NormalizeOptions(BackEndKind kind, const Version& version,
                                const std::vector<std::string>& arguments) {
  Words words(arguments);
  words.Read();
  BackEndOptions options = std::move(words.options);
  const bool rust = kind == BackEndKind::kVirtiofsd;
  if (!rust && kind != BackEndKind::kVirtiofsdC) {
    for (const std::string& text : words.legacy) Append(options, "o", text);
    return options;
  }
  Replace(options, "d", "log-level", "debug");
  Replace(options, "debug", "log-level", "debug");
  Replace(options, "no-announce-submounts", "announce-submounts", "false");
  Replace(options, "no-killpriv-v2", "killpriv-v2", "false");
  Rename(options, "foreground", "f");
  Rename(options, "socket", "socket-path");
  for (const std::string& text : words.legacy) {
    for (const std::string& part : LegacyParts(kind, text)) ApplyLegacyPart(part, options);
  }
  ModernizeValues(options);
  const BackEndOptions& defaults = rust ? RustDefaults() : CDefaults();
  options.insert(defaults.begin(), defaults.end());
  if (rust) {
    options.insert({"inode-file-handles", version < Version{1, 13, 3} ? "never" : "prefer"});
  }
  ApplyImplications(options);
  return options;
}

}  // namespace vuf
