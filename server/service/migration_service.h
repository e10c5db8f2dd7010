// The gRPC shell of evaluations and migrations.
#ifndef VUFD_SERVER_SERVICE_MIGRATION_SERVICE_H_
#define VUFD_SERVER_SERVICE_MIGRATION_SERVICE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/service/deps.h"
#include "vuf/v1/migration.grpc.pb.h"

namespace vuf {

template <typename S>
using RawMigrationMethods = v1::MigrationService::WithRawCallbackMethod_EvaluateMigration<
    v1::MigrationService::WithRawCallbackMethod_CreateMigration<
        v1::MigrationService::WithRawCallbackMethod_UpgradeVm<
            v1::MigrationService::WithRawCallbackMethod_GetMigration<
                v1::MigrationService::WithRawCallbackMethod_ListMigrations<
                    v1::MigrationService::WithRawCallbackMethod_CancelMigration<
                        v1::MigrationService::WithRawCallbackMethod_WatchMigration<S>>>>>>>;

class MigrationServiceShell final : public RawMigrationMethods<v1::MigrationService::Service> {
 public:
  explicit MigrationServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* EvaluateMigration(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* in,
                                              grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* CreateMigration(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* in,
                                            grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* UpgradeVm(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* GetMigration(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* in,
                                         grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListMigrations(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* in,
                                           grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* CancelMigration(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* in,
                                            grpc::ByteBuffer* out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchMigration(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* in) override;

 private:
  absl::StatusOr<v1::EvaluateMigrationResponse> Evaluate(
      const v1::EvaluateMigrationRequest& request, const std::string& actor, absl::Time deadline);
  absl::StatusOr<v1::Migration> Create(const v1::CreateMigrationRequest& request,
                                       const std::string& actor);
  absl::StatusOr<v1::Migration> Upgrade(const v1::UpgradeVmRequest& request,
                                        const std::string& actor);
  absl::StatusOr<v1::Migration> Get(const v1::GetMigrationRequest& request);
  absl::StatusOr<v1::ListMigrationsResponse> List(const v1::ListMigrationsRequest& request);
  absl::StatusOr<v1::Migration> Cancel(const v1::CancelMigrationRequest& request);
  // The record of a VM, or NOT_FOUND naming `field`.

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_MIGRATION_SERVICE_H_
