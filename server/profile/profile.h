// Back-end profiles as data, and matching a running back-end against them.
#ifndef VUFD_SERVER_PROFILE_PROFILE_H_
#define VUFD_SERVER_PROFILE_PROFILE_H_

#include <map>
#include <string>
#include <vector>

#include "server/model/back_end.h"
#include "vuf/v1/back_end_profile.pb.h"

namespace vuf {

// The profiles that come with vufd, each with `shipped` set.
std::vector<v1::BackEndProfile> ShippedProfiles();

// Sets `profile_modes` (and `kind`, when discovery left it unknown) from the one profile that
// matches executable, version line and version. `declared` ("" or a profile's name) is what the
// endpoint's owner says; a declared profile that does not match the running executable makes the
// modes unknown, and so do two matching profiles that disagree.
void ApplyProfiles(const std::map<std::string, v1::BackEndProfile>& profiles,
                   const std::string& declared, absl::Time now, BackEndFacts& back_end);

}  // namespace vuf

#endif  // VUFD_SERVER_PROFILE_PROFILE_H_
