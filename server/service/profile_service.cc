#include "server/service/profile_service.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/model/version.h"
#include "server/registry/request_key.h"
#include "server/service/paging.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

absl::Status CheckVersion(absl::string_view field, const std::string& value) {
  if (value.empty() || Version::Parse(value).has_value()) return absl::OkStatus();
  return InvalidField(field, value, "a version such as \"1.13\" or \"1.13.2\"");
}

absl::Status CheckModes(const v1::BackEndProfile& profile) {
  for (const int mode : profile.modes()) {
    if (mode == v1::MIGRATION_MODE_STATELESS || mode == v1::MIGRATION_MODE_STATEFUL) continue;
    return InvalidField("back_end_profile.modes", absl::StrCat(mode),
                        "MIGRATION_MODE_STATELESS and MIGRATION_MODE_STATEFUL");
  }
  return absl::OkStatus();
}

absl::Status CheckRange(const v1::BackEndProfile& profile) {
  absl::Status status = CheckVersion("back_end_profile.min_version", profile.min_version());
  if (status.ok()) {
    status = CheckVersion("back_end_profile.version_limit", profile.version_limit());
  }
  if (!status.ok() || profile.min_version().empty() || profile.version_limit().empty() ||
      *Version::Parse(profile.min_version()) < *Version::Parse(profile.version_limit())) {
    return status;
  }
  return InvalidField("back_end_profile.version_limit", profile.version_limit(),
                      absl::StrCat("a version after min_version ", profile.min_version()));
}

absl::Status Check(const v1::CreateBackEndProfileRequest& request) {
  const v1::BackEndProfile& profile = request.back_end_profile();
  absl::Status status = CheckId("back_end_profile_id", request.back_end_profile_id());
  if (status.ok()) status = CheckText("back_end_profile.kind", profile.kind(), 63, true);
  if (status.ok()) {
    status = CheckText("back_end_profile.executable_name", profile.executable_name(), 255, true);
  }
  if (status.ok() && profile.executable_name().find('/') != std::string::npos) {
    status = InvalidField("back_end_profile.executable_name", profile.executable_name(),
                          "a file name without '/'");
  }
  if (status.ok()) {
    status = CheckText("back_end_profile.version_prefix", profile.version_prefix(), 255);
  }
  if (status.ok()) status = CheckText("back_end_profile.description", profile.description(), 1024);
  if (status.ok()) status = CheckRange(profile);
  if (status.ok()) status = CheckModes(profile);
  if (status.ok()) status = CheckRequestId(request.request_id());
  return status;
}

}  // namespace

absl::StatusOr<v1::BackEndProfile> ProfileServiceShell::Get(
    const v1::GetBackEndProfileRequest& request) {
  const absl::Status checked = CheckName("name", "backEndProfiles", request.name());
  if (!checked.ok()) return checked;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  const auto found = snapshot->profiles.find(request.name());
  if (found != snapshot->profiles.end()) return found->second;
  return absl::NotFoundError(
      absl::StrCat("name: there is no back-end profile ", Quoted(request.name())));
}

absl::StatusOr<v1::ListBackEndProfilesResponse> ProfileServiceShell::List(
    const v1::ListBackEndProfilesRequest& request) {
  absl::StatusOr<Page> page =
      Page::Begin("ListBackEndProfiles", request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListBackEndProfilesResponse response;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  for (const auto& [name, profile] : snapshot->profiles) {
    if (page->Takes(name)) *response.add_back_end_profiles() = profile;
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

absl::StatusOr<v1::BackEndProfile> ProfileServiceShell::Create(
    const v1::CreateBackEndProfileRequest& request, absl::Time deadline) {
  const absl::Status checked = Check(request);
  if (!checked.ok()) return checked;
  v1::BackEndProfile profile = request.back_end_profile();
  profile.set_name(absl::StrCat("backEndProfiles/", request.back_end_profile_id()));
  profile.clear_shipped();
  profile.clear_etag();
  return deps_.registry->CreateProfile(
      std::move(profile), MakeRequestKey("BackEndProfileService.CreateBackEndProfile", request),
      deadline);
}

absl::StatusOr<v1::DeleteBackEndProfileResponse> ProfileServiceShell::Delete(
    const v1::DeleteBackEndProfileRequest& request, absl::Time deadline) {
  const absl::Status checked = CheckName("name", "backEndProfiles", request.name());
  if (!checked.ok()) return checked;
  const absl::Status deleted =
      deps_.registry->DeleteProfile(request.name(), request.etag(), deadline);
  if (!deleted.ok()) return deleted;
  return v1::DeleteBackEndProfileResponse();
}

grpc::ServerUnaryReactor* ProfileServiceShell::GetBackEndProfile(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::GetBackEndProfileRequest, v1::BackEndProfile>(
      context, "BackEndProfileService/GetBackEndProfile", nullptr, in, out,
      [this](const auto& request, absl::Time) { return Get(request); });
}

grpc::ServerUnaryReactor* ProfileServiceShell::ListBackEndProfiles(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::ListBackEndProfilesRequest, v1::ListBackEndProfilesResponse>(
      context, "BackEndProfileService/ListBackEndProfiles", nullptr, in, out,
      [this](const auto& request, absl::Time) { return List(request); });
}

grpc::ServerUnaryReactor* ProfileServiceShell::CreateBackEndProfile(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::CreateBackEndProfileRequest, v1::BackEndProfile>(
      context, "BackEndProfileService/CreateBackEndProfile", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Create(request, deadline); });
}

grpc::ServerUnaryReactor* ProfileServiceShell::DeleteBackEndProfile(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::DeleteBackEndProfileRequest, v1::DeleteBackEndProfileResponse>(
      context, "BackEndProfileService/DeleteBackEndProfile", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Delete(request, deadline); });
}

}  // namespace vuf
