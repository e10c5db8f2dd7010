// The gRPC shell of the registry's VMs.
#ifndef VUFD_SERVER_SERVICE_VM_SERVICE_H_
#define VUFD_SERVER_SERVICE_VM_SERVICE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/service/deps.h"
#include "vuf/v1/vm.grpc.pb.h"

namespace vuf {

template <typename S>
using RawVmMethods =
    v1::VmService::WithRawCallbackMethod_RegisterVm<v1::VmService::WithRawCallbackMethod_GetVm<
        v1::VmService::WithRawCallbackMethod_ListVms<v1::VmService::WithRawCallbackMethod_RemoveVm<
            v1::VmService::WithRawCallbackMethod_DiscoverVms<S>>>>>;

class VmServiceShell final : public RawVmMethods<v1::VmService::Service> {
 public:
  explicit VmServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* RegisterVm(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* GetVm(grpc::CallbackServerContext* context, const grpc::ByteBuffer* in,
                                  grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListVms(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* RemoveVm(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* DiscoverVms(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;

 private:
  absl::StatusOr<v1::Vm> Register(const v1::RegisterVmRequest& request, absl::Time deadline);
  absl::StatusOr<v1::Vm> Get(const v1::GetVmRequest& request, absl::Time deadline);
  absl::StatusOr<v1::ListVmsResponse> List(const v1::ListVmsRequest& request);
  absl::StatusOr<v1::RemoveVmResponse> Remove(const v1::RemoveVmRequest& request,
                                              absl::Time deadline);
  absl::StatusOr<v1::DiscoverVmsResponse> Discover(const v1::DiscoverVmsRequest& request,
                                                   absl::Time deadline,
                                                   const std::function<bool()>& cancelled);

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_VM_SERVICE_H_
