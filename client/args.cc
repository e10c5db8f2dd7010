#include "client/args.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace vuf::cli {
namespace {

constexpr char kUsagePayload[] = "vufctl/usage";

// Levenshtein distance.
int Distance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

// `; did you mean "X"?`, or nothing when no choice is near.
std::string Suggestion(absl::string_view word, const std::set<std::string>& choices) {
  std::string best;
  int best_distance = std::max(2, static_cast<int>(word.size()) / 3) + 1;
  for (const std::string& choice : choices) {
    const int distance = Distance(word, choice);
    if (distance < best_distance) {
      best = choice;
      best_distance = distance;
    }
  }
  return best.empty() ? "" : absl::StrCat("; did you mean \"", best, "\"?");
}

const FlagSpec* FindFlag(const std::vector<FlagSpec>& flags, absl::string_view name) {
  for (const FlagSpec& flag : flags) {
    if (name == flag.name) return &flag;
  }
  return nullptr;
}

// A flag of any command: whether it takes a value must be known before the command is.
const FlagSpec* FindFlagAnywhere(const std::vector<Command>& commands, absl::string_view name) {
  if (const FlagSpec* flag = FindFlag(GlobalFlags(), name)) return flag;
  for (const Command& command : commands) {
    if (const FlagSpec* flag = FindFlag(command.flags, name)) return flag;
  }
  return nullptr;
}

absl::Status UnknownFlag(absl::string_view name, const std::vector<FlagSpec>& known) {
  std::set<std::string> choices;
  for (const FlagSpec& flag : known) choices.insert(absl::StrCat("--", flag.name));
  for (const FlagSpec& flag : GlobalFlags()) choices.insert(absl::StrCat("--", flag.name));
  const std::string shown =
      absl::StartsWith(name, "-") ? std::string(name) : absl::StrCat("--", name);
  return UsageError(absl::StrCat("unknown flag ", shown, Suggestion(shown, choices)));
}

// Splits words into flags and the rest.
class Splitter {
 public:
  Splitter(const std::vector<Command>& commands, const std::vector<std::string>& words,
           ParsedArgs* parsed)
      : commands_(commands), words_(words), parsed_(parsed) {}

  absl::Status Run() {
    for (; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (word == "--") {
        parsed_->after_dashes = words_.size() - at_ - 1;
        parsed_->positional.insert(parsed_->positional.end(),
                                   words_.begin() + static_cast<std::ptrdiff_t>(at_) + 1,
                                   words_.end());
        return absl::OkStatus();
      }
      if (word == "-h") {
        parsed_->flags["help"].push_back("");
      } else if (absl::StartsWith(word, "-") && word.size() > 1) {
        absl::Status status = Flag(word);
        if (!status.ok()) return status;
      } else {
        parsed_->positional.push_back(word);
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Flag(absl::string_view word) {
    const std::pair<absl::string_view, absl::string_view> split =
        absl::StrSplit(word, absl::MaxSplits('=', 1));
    const bool has_value = absl::StrContains(word, "=");
    const std::string name(absl::StripPrefix(split.first, "--"));
    const FlagSpec* flag =
        absl::StartsWith(word, "--") ? FindFlagAnywhere(commands_, name) : nullptr;
    // The word itself is refused once the command, and with it what is allowed, is known.
    if (flag == nullptr || flag->value == nullptr) {
      if (flag != nullptr && has_value) {
        return UsageError(absl::StrCat("flag --", name, " takes no value"));
      }
      parsed_->flags[name].push_back("");
      return absl::OkStatus();
    }
    if (!has_value && at_ + 1 == words_.size()) {
      return UsageError(
          absl::StrCat("flag --", name, " needs a value: --", name, "=", flag->value));
    }
    parsed_->flags[name].push_back(has_value ? std::string(split.second) : words_[++at_]);
    return absl::OkStatus();
  }

  const std::vector<Command>& commands_;
  const std::vector<std::string>& words_;
  ParsedArgs* const parsed_;
  size_t at_ = 0;
};

absl::Status UnknownCommand(const std::vector<Command>& commands,
                            const std::vector<std::string>& words) {
  std::set<std::string> choices;
  const std::string group = words[0] + " ";
  const bool known_group =
      words.size() > 1 && std::any_of(commands.begin(), commands.end(), [&](const Command& c) {
        return absl::StartsWith(c.name, group);
      });
  for (const Command& command : commands) {
    const std::string name = command.name;
    if (!known_group) choices.insert(name.substr(0, name.find(' ')));
    if (known_group && absl::StartsWith(name, group)) choices.insert(name);
  }
  const std::string typed = known_group ? absl::StrCat(group, words[1]) : words[0];
  return UsageError(absl::StrCat("unknown command \"", typed, "\"", Suggestion(typed, choices)));
}

// Takes the command's words off the front of `parsed->positional`.
absl::Status ResolveCommand(const std::vector<Command>& commands, ParsedArgs* parsed) {
  std::vector<std::string>& words = parsed->positional;
  if (words.empty()) words.push_back("help");
  size_t used = 1;
  if (words.size() > 1) {
    parsed->command = FindCommand(commands, absl::StrCat(words[0], " ", words[1]));
    used = 2;
  }
  const bool single = words.size() == 1 || FindCommand(commands, words[0]) == nullptr ||
                      !absl::StrContains(FindCommand(commands, words[0])->name, " ");
  if (parsed->command == nullptr && single) {
    parsed->command = FindCommand(commands, words[0]);
    used = 1;
  }
  if (parsed->command == nullptr) return UnknownCommand(commands, words);
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
  return absl::OkStatus();
}

absl::Status CheckFlags(const ParsedArgs& parsed) {
  for (const auto& [name, values] : parsed.flags) {
    const FlagSpec* flag = FindFlag(parsed.command->flags, name);
    if (flag == nullptr) flag = FindFlag(GlobalFlags(), name);
    if (flag == nullptr) return UnknownFlag(name, parsed.command->flags);
    if (values.size() > 1 && !flag->repeated) {
      return UsageError(absl::StrCat("flag --", name, " is given more than once"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPositional(const ParsedArgs& parsed) {
  const std::vector<std::string> wanted =
      absl::StrSplit(parsed.command->args, ' ', absl::SkipEmpty());
  const bool any_number = absl::EndsWith(parsed.command->args, "...");
  for (size_t i = parsed.positional.size(); i < wanted.size(); ++i) {
    if (absl::StartsWith(wanted[i], "[")) continue;
    return UsageError(absl::StrCat("\"", parsed.command->name, "\" needs ", wanted[i]));
  }
  if (parsed.positional.size() > wanted.size() && !any_number) {
    return UsageError(
        absl::StrCat("unexpected argument \"", parsed.positional[wanted.size()], "\""));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<FlagSpec>& GlobalFlags() {
  static const auto* const flags = new std::vector<FlagSpec>{
      {"server", "unix:PATH", "where vufd listens (default unix:/run/vufd/vufd.sock)"},
      {"address", "HOST:PORT", "vufd on another host, by TLS (or VUFCTL_ADDRESS)"},
      {"ca", "FILE", "with --address: CAs of vufd's certificate (or VUFCTL_CA)", "@files"},
      {"certificate", "FILE", "with --address: your certificate (or VUFCTL_CERTIFICATE)", "@files"},
      {"key", "FILE", "with --address: your private key (or VUFCTL_KEY)", "@files"},
      {"output", "FORMAT", "table, json, or (lists only) names; default table", "table json names"},
      {"timeout", "DURATION", "limit of each call to vufd, e.g. 10s (default 30s)"},
      {"help", nullptr, "show help for the command"},
  };
  return *flags;
}

std::string ParsedArgs::Get(const std::string& flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() || found->second.empty() ? "" : found->second.back();
}

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

const Command* FindCommand(const std::vector<Command>& commands, absl::string_view name) {
  for (const Command& command : commands) {
    if (name == command.name) return &command;
  }
  const std::string list = absl::StrCat(name, " list");
  for (const Command& command : commands) {
    if (list == command.name) return &command;
  }
  return nullptr;
}

absl::StatusOr<ParsedArgs> Parse(const std::vector<Command>& commands,
                                 const std::vector<std::string>& words) {
  ParsedArgs parsed;
  absl::Status status = Splitter(commands, words, &parsed).Run();
  if (!status.ok()) return status;
  if (parsed.Has("help")) {
    parsed.flags.erase("help");
    parsed.positional.insert(parsed.positional.begin(), "help");
    // The help is for the command; whatever else stood there is not looked at.
    parsed.flags.clear();
  }
  status = ResolveCommand(commands, &parsed);
  if (!status.ok()) return status;
  status = CheckFlags(parsed);
  if (!status.ok()) return status;
  status = CheckPositional(parsed);
  if (!status.ok()) return status;
  return parsed;
}

}  // namespace vuf::cli
