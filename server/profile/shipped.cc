#include <cstdlib>
#include <string>

#include "google/protobuf/text_format.h"
#include "server/profile/profile.h"

namespace vuf {
namespace {

constexpr char kText[] =
#include "server/profile/shipped_profiles.inc"
    ;

}  // namespace

std::vector<v1::BackEndProfile> ShippedProfiles() {
  v1::ListBackEndProfilesResponse list;
  // The text is part of the program and a test parses it; going on without it is no option.
  if (!google::protobuf::TextFormat::ParseFromString(kText, &list)) abort();
  std::vector<v1::BackEndProfile> profiles(list.back_end_profiles().begin(),
                                           list.back_end_profiles().end());
  for (v1::BackEndProfile& profile : profiles) profile.set_shipped(true);
  return profiles;
}

}  // namespace vuf
