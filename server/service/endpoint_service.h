// The gRPC shell of the registry's endpoints.
#ifndef VUFD_SERVER_SERVICE_ENDPOINT_SERVICE_H_
#define VUFD_SERVER_SERVICE_ENDPOINT_SERVICE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/service/deps.h"
#include "vuf/v1/endpoint.grpc.pb.h"

namespace vuf {

template <typename S>
using RawEndpointMethods = v1::EndpointService::WithRawCallbackMethod_CreateEndpoint<
    v1::EndpointService::WithRawCallbackMethod_GetEndpoint<
        v1::EndpointService::WithRawCallbackMethod_ListEndpoints<
            v1::EndpointService::WithRawCallbackMethod_UpdateEndpoint<
                v1::EndpointService::WithRawCallbackMethod_DeleteEndpoint<
                    v1::EndpointService::WithRawCallbackMethod_WatchEndpoints<S>>>>>>;

class EndpointServiceShell final : public RawEndpointMethods<v1::EndpointService::Service> {
 public:
  explicit EndpointServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* CreateEndpoint(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* in,
                                           grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* GetEndpoint(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListEndpoints(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* in,
                                          grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* UpdateEndpoint(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* in,
                                           grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* DeleteEndpoint(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* in,
                                           grpc::ByteBuffer* out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchEndpoints(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* in) override;

 private:
  absl::StatusOr<v1::Endpoint> Create(const v1::CreateEndpointRequest& request,
                                      absl::Time deadline);
  absl::StatusOr<v1::Endpoint> Get(const v1::GetEndpointRequest& request, absl::Time deadline);
  absl::StatusOr<v1::ListEndpointsResponse> List(const v1::ListEndpointsRequest& request);
  absl::StatusOr<v1::Endpoint> Update(const v1::UpdateEndpointRequest& request,
                                      absl::Time deadline);
  absl::StatusOr<v1::DeleteEndpointResponse> Delete(const v1::DeleteEndpointRequest& request,
                                                    absl::Time deadline);
  absl::Status CheckProfile(const std::string& profile) const;
  // FAILED_PRECONDITION when a running migration uses the socket, or may turn out to.
  absl::Status CheckNotMigrating(const std::string& name) const;

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_ENDPOINT_SERVICE_H_
