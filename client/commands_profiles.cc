#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> PrintProfile(Context& context,
                                 const absl::StatusOr<v1::BackEndProfile>& profile) {
  if (!profile.ok()) return profile.status();
  return context.Print(*profile, ProfileText(*profile));
}

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<v1::ListBackEndProfilesResponse> profiles =
      context.client().ListBackEndProfiles();
  if (!profiles.ok()) return profiles.status();
  return PrintList(context, *profiles, profiles->back_end_profiles(), ProfilesText(*profiles));
}

absl::StatusOr<int> Get(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("backEndProfiles");
  if (!name.ok()) return name.status();
  return PrintProfile(context, context.client().GetBackEndProfile(*name));
}

absl::StatusOr<int> Create(Context& context) {
  const ParsedArgs& args = context.args();
  const absl::StatusOr<std::string> name = context.Name("backEndProfiles");
  if (!name.ok()) return name.status();
  for (const char* flag : {"executable", "kind"}) {
    if (args.Get(flag).empty()) return UsageError(absl::StrCat("--", flag, " is required"));
  }
  v1::CreateBackEndProfileRequest request;
  request.set_back_end_profile_id(name->substr(name->find('/') + 1));
  request.set_request_id(args.Get("request-id"));
  v1::BackEndProfile& profile = *request.mutable_back_end_profile();
  profile.set_description(args.Get("description"));
  profile.set_kind(args.Get("kind"));
  profile.set_executable_name(args.Get("executable"));
  profile.set_version_prefix(args.Get("version-prefix"));
  profile.set_min_version(args.Get("min-version"));
  profile.set_version_limit(args.Get("version-limit"));
  // A profile that names no mode allows none; there is no default here that allows.
  if (args.Has("mode")) {
    const absl::StatusOr<std::vector<v1::MigrationMode>> modes = ModeFlag(args);
    if (!modes.ok()) return modes.status();
    for (const v1::MigrationMode mode : *modes) profile.add_modes(mode);
  }
  return PrintProfile(context, context.client().CreateBackEndProfile(request));
}

absl::StatusOr<int> Delete(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("backEndProfiles");
  if (!name.ok()) return name.status();
  v1::DeleteBackEndProfileRequest request;
  request.set_name(*name);
  request.set_etag(context.args().Get("etag"));
  return PrintDone(context, context.client().DeleteBackEndProfile(request),
                   absl::StrCat("Deleted ", *name));
}

}  // namespace

std::vector<Command> ProfileCommands() {
  FlagSpec mode = kModeFlag;
  mode.help = "modes the back-end can do at all (default none)";
  return {
      {"profiles list", "", "list back-end profiles, shipped and added", "", {}, List},
      {"profiles get", "PROFILE", "show a back-end profile", "", {}, Get},
      {"profiles create",
       "PROFILE",
       "add a back-end profile",
       "A profile says what a kind of back-end can do. A wrong one makes wrong verdicts.",
       {{"executable", "NAME", "base name of the executable (required)"},
        {"kind", "KIND", "the kind it describes (required)"},
        {"description", "TEXT", "one line for people"},
        {"version-prefix", "TEXT", "what the first line of --version must begin with"},
        {"min-version", "VERSION", "lowest version, inclusive"},
        {"version-limit", "VERSION", "upper bound, exclusive"},
        mode,
        kRequestIdFlag},
       Create},
      {"profiles delete", "PROFILE", "delete an added back-end profile", "", {kEtagFlag}, Delete},
  };
}

}  // namespace vuf::cli
