// The gRPC shell of back-end profiles.
#ifndef VUFD_SERVER_SERVICE_PROFILE_SERVICE_H_
#define VUFD_SERVER_SERVICE_PROFILE_SERVICE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/service/deps.h"
#include "vuf/v1/back_end_profile.grpc.pb.h"

namespace vuf {

template <typename S>
using RawProfileMethods = v1::BackEndProfileService::WithRawCallbackMethod_GetBackEndProfile<
    v1::BackEndProfileService::WithRawCallbackMethod_ListBackEndProfiles<
        v1::BackEndProfileService::WithRawCallbackMethod_CreateBackEndProfile<
            v1::BackEndProfileService::WithRawCallbackMethod_DeleteBackEndProfile<S>>>>;

class ProfileServiceShell final : public RawProfileMethods<v1::BackEndProfileService::Service> {
 public:
  explicit ProfileServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* GetBackEndProfile(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* in,
                                              grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListBackEndProfiles(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* in,
                                                grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* CreateBackEndProfile(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* in,
                                                 grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* DeleteBackEndProfile(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* in,
                                                 grpc::ByteBuffer* out) override;

 private:
  absl::StatusOr<v1::BackEndProfile> Get(const v1::GetBackEndProfileRequest& request);
  absl::StatusOr<v1::ListBackEndProfilesResponse> List(
      const v1::ListBackEndProfilesRequest& request);
  absl::StatusOr<v1::BackEndProfile> Create(const v1::CreateBackEndProfileRequest& request,
                                            absl::Time deadline);
  absl::StatusOr<v1::DeleteBackEndProfileResponse> Delete(
      const v1::DeleteBackEndProfileRequest& request, absl::Time deadline);

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_PROFILE_SERVICE_H_
