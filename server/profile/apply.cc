#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/profile/profile.h"

namespace vuf {
namespace {

using Modes = BackEndFacts::ProfileModes;

// How a profile fits a back-end. `why` says why it does not, or why that cannot be told.
struct Fit {
  enum class Answer { kYes, kNo, kUnknown };
  Answer answer = Answer::kUnknown;
  std::string why;
};

Fit No(std::string why) { return {Fit::Answer::kNo, std::move(why)}; }
Fit CannotTell(std::string why) { return {Fit::Answer::kUnknown, std::move(why)}; }

absl::string_view BaseName(const std::string& path) {
  return absl::string_view(path).substr(path.rfind('/') + 1);
}

BackEndKind KindOf(const std::string& kind) {
  if (kind == "virtiofsd") return BackEndKind::kVirtiofsd;
  if (kind == "virtiofsd-c") return BackEndKind::kVirtiofsdC;
  if (kind == "filestore-vhost") return BackEndKind::kFilestoreVhost;
  if (kind == "keeper") return BackEndKind::kKeeper;
  return BackEndKind::kProfiled;
}

template <typename T>
std::string Because(const Evidence<T>& evidence) {
  return evidence.detail.empty() ? "" : absl::StrCat(": ", evidence.detail);
}

Fit FitVersion(const v1::BackEndProfile& profile, const Evidence<Version>& version) {
  if (profile.min_version().empty() && profile.version_limit().empty()) {
    return {Fit::Answer::kYes, ""};
  }
  const std::optional<Version> lowest =
      profile.min_version().empty() ? Version{} : Version::Parse(profile.min_version());
  const std::optional<Version> limit =
      profile.version_limit().empty() ? Version{} : Version::Parse(profile.version_limit());
  if (!lowest.has_value() || !limit.has_value()) {
    return CannotTell(absl::StrCat("its bounds \"", profile.min_version(), "\" and \"",
                                   profile.version_limit(), "\" are not both versions"));
  }
  if (!version.known()) {
    return CannotTell(absl::StrCat("the back-end's version is unknown", Because(version)));
  }
  if (*version.value < *lowest) {
    return No(
        absl::StrCat("version ", version.value->ToString(), " is below ", lowest->ToString()));
  }
  if (!profile.version_limit().empty() && *version.value >= *limit) {
    return No(
        absl::StrCat("version ", version.value->ToString(), " is not below ", limit->ToString()));
  }
  return {Fit::Answer::kYes, ""};
}

Fit FitVersionLine(const v1::BackEndProfile& profile, const Evidence<std::string>& line) {
  if (profile.version_prefix().empty()) return {Fit::Answer::kYes, ""};
  if (!line.known()) {
    return CannotTell(absl::StrCat("what --version prints is unknown", Because(line)));
  }
  if (absl::StartsWith(*line.value, profile.version_prefix())) return {Fit::Answer::kYes, ""};
  return No(absl::StrCat("--version prints \"", *line.value, "\", which does not begin with \"",
                         profile.version_prefix(), "\""));
}

// One certain mismatch settles it; otherwise one uncertainty does.
Fit FitProfile(const v1::BackEndProfile& profile, const BackEndFacts& back_end) {
  const absl::string_view executable = BaseName(*back_end.executable.value);
  if (executable != profile.executable_name()) {
    return No(absl::StrCat("the executable is \"", executable, "\", not \"",
                           profile.executable_name(), "\""));
  }
  if (back_end.kind.known() && *back_end.kind.value != BackEndKind::kUnknown &&
      *back_end.kind.value != KindOf(profile.kind())) {
    return No(absl::StrCat("the back-end was recognised as something else than \"", profile.kind(),
                           "\"", Because(back_end.kind)));
  }
  const Fit line = FitVersionLine(profile, back_end.version_line);
  if (line.answer == Fit::Answer::kNo) return line;
  const Fit version = FitVersion(profile, back_end.version);
  return version.answer == Fit::Answer::kNo || line.answer == Fit::Answer::kYes ? version : line;
}

Evidence<Modes> ModesOf(const v1::BackEndProfile& profile, absl::Time now) {
  Modes modes;
  modes.profile = profile.name();
  for (const int mode : profile.modes()) {
    switch (mode) {
      case v1::MIGRATION_MODE_NONE:
        break;
      case v1::MIGRATION_MODE_STATELESS:
        modes.stateless = true;
        break;
      case v1::MIGRATION_MODE_STATEFUL:
        modes.stateful = true;
        break;
      default:
        return Unknown<Modes>(
            absl::StrCat(profile.name(), " names mode ", mode, ", which this vufd does not know"),
            Source::kProfile);
    }
  }
  return Known(modes, Source::kProfile, now, profile.description());
}

bool Agree(const v1::BackEndProfile& a, const Modes& a_modes, const v1::BackEndProfile& b,
           const Modes& b_modes) {
  return KindOf(a.kind()) == KindOf(b.kind()) && a_modes.stateless == b_modes.stateless &&
         a_modes.stateful == b_modes.stateful;
}

struct Result {
  Evidence<Modes> modes;
  // Null unless the modes are known.
  const v1::BackEndProfile* profile = nullptr;
};

Result Refuse(std::string why) { return {Unknown<Modes>(std::move(why), Source::kProfile)}; }

// Matching profiles must agree, also with the declared one: a declaration narrows what is believed
// and never widens it.
Result Choose(const std::vector<const v1::BackEndProfile*>& matching, const std::string& declared,
              absl::Time now) {
  Result result;
  for (const v1::BackEndProfile* const profile : matching) {
    Evidence<Modes> modes = ModesOf(*profile, now);
    if (!modes.known()) return {std::move(modes)};
    if (result.profile != nullptr &&
        !Agree(*result.profile, *result.modes.value, *profile, *modes.value)) {
      return Refuse(absl::StrCat(result.profile->name(), " and ", profile->name(),
                                 " both match this back-end and disagree; delete one or narrow "
                                 "its versions"));
    }
    if (result.profile == nullptr || profile->name() == declared) {
      result = {std::move(modes), profile};
    }
  }
  return result;
}

Result Match(const std::map<std::string, v1::BackEndProfile>& profiles, const std::string& declared,
             absl::Time now, const BackEndFacts& back_end) {
  if (!back_end.executable.known()) {
    return Refuse(
        absl::StrCat("the back-end's executable is unknown", Because(back_end.executable)));
  }
  std::vector<const v1::BackEndProfile*> matching;
  std::vector<std::string> uncertain, mismatches;
  for (const auto& [name, profile] : profiles) {
    const Fit fit = FitProfile(profile, back_end);
    if (name == declared && fit.answer != Fit::Answer::kYes) {
      return Refuse(absl::StrCat("the declared ", name, " does not match: ", fit.why));
    }
    if (fit.answer == Fit::Answer::kYes) matching.push_back(&profile);
    if (fit.answer == Fit::Answer::kUnknown) {
      uncertain.push_back(absl::StrCat(name, ": ", fit.why));
    }
    if (fit.answer == Fit::Answer::kNo &&
        BaseName(*back_end.executable.value) == profile.executable_name()) {
      mismatches.push_back(absl::StrCat(name, ": ", fit.why));
    }
  }
  if (!declared.empty() && profiles.count(declared) == 0) {
    return Refuse(absl::StrCat("the declared ", declared, " does not exist"));
  }
  if (!uncertain.empty()) {
    return Refuse(
        absl::StrCat("it cannot be told whether these match: ", absl::StrJoin(uncertain, "; ")));
  }
  if (!matching.empty()) return Choose(matching, declared, now);
  if (!mismatches.empty()) {
    return Refuse(absl::StrCat("no profile matches: ", absl::StrJoin(mismatches, "; ")));
  }
  return Refuse(absl::StrCat("no profile names this executable: ", *back_end.executable.value));
}

}  // namespace

void ApplyProfiles(const std::map<std::string, v1::BackEndProfile>& profiles,
                   const std::string& declared, absl::Time now, BackEndFacts& back_end) {
  const Result result = Match(profiles, declared, now, back_end);
  back_end.profile_modes = result.modes;
  const bool recognised = back_end.kind.known() && *back_end.kind.value != BackEndKind::kUnknown;
  if (result.profile != nullptr && !recognised) {
    back_end.kind =
        Known(KindOf(result.profile->kind()), Source::kProfile, now, result.profile->name());
  }
}

}  // namespace vuf
