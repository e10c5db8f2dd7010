// What callers send: never a crash, and every refusal is an error of theirs that says something.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/stubs/logging.h"
#include "server/service/migration_request.h"
#include "server/service/policy_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace v1 = vuf::v1;

void RequireTheCallersFault(const absl::Status& status) {
  if (status.ok()) return;
  vuf::Require(absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status));
  vuf::Require(!status.message().empty());
}

v1::CreateMigrationRequest GoodMigration() {
  v1::CreateMigrationRequest request;
  request.set_request_id("again-1");
  v1::Migration& migration = *request.mutable_migration();
  migration.set_vm("vms/guest");
  migration.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/there.qmp");
  migration.add_allowed_modes(v1::MIGRATION_MODE_STATELESS);
  migration.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  migration.mutable_timeout()->set_seconds(60);
  migration.set_priority(3);
  return request;
}

v1::MigrationPolicy GoodPolicy() {
  v1::MigrationPolicy policy;
  policy.set_name("policies/p");
  policy.set_priority(1);
  (*policy.mutable_selector()->mutable_vm_labels())["team"] = "blue";
  policy.mutable_hold()->set_reason("audit");
  policy.mutable_hold()->set_holder("ops");
  return policy;
}

// The input as it is, and as changes to a good message.
template <typename Message, typename Use>
void Try(const Message& good, const uint8_t* data, size_t size, Use use) {
  for (const std::string& bytes : {std::string(reinterpret_cast<const char*>(data), size),
                                   vuf::Damaged(good.SerializeAsString(), data, size)}) {
    Message message;
    if (message.ParseFromString(bytes)) use(message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // As vufd does: it would say of every string that it is not UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  const int kind = data[0] % 5;
  ++data;
  --size;
  const v1::CreateMigrationRequest good = GoodMigration();
  if (kind == 0) {
    Try(good, data, size, [](const v1::CreateMigrationRequest& request) {
      RequireTheCallersFault(vuf::CheckRequest(request));
      vuf::InputOf(request.migration());
    });
  } else if (kind == 1) {
    v1::EvaluateMigrationRequest evaluate;
    evaluate.set_vm(good.migration().vm());
    *evaluate.mutable_destination() = good.migration().destination();
    Try(evaluate, data, size, [](const v1::EvaluateMigrationRequest& request) {
      const absl::Status status = vuf::CheckRequest(request);
      RequireTheCallersFault(status);
      if (status.ok()) vuf::ModelRequest(request);
    });
  } else if (kind == 2) {
    v1::UpgradeVmRequest upgrade;
    upgrade.set_vm(good.migration().vm());
    *upgrade.mutable_destination() = good.migration().destination();
    Try(upgrade, data, size, [](const v1::UpgradeVmRequest& request) {
      const absl::Status status = vuf::CheckRequest(request);
      RequireTheCallersFault(status);
      if (status.ok()) vuf::MigrationOf(request);
    });
  } else if (kind == 3) {
    Try(GoodPolicy(), data, size, [](const v1::MigrationPolicy& policy) {
      RequireTheCallersFault(vuf::CheckPolicy(policy));
    });
  } else {
    v1::Acknowledgement acknowledgement;
    acknowledgement.set_vm("vms/guest");
    acknowledgement.set_code("SHARE_NOT_PROVED_SAME");
    acknowledgement.mutable_expire_time()->set_seconds(1'700'000'000);
    Try(acknowledgement, data, size, [](const v1::Acknowledgement& one) {
      RequireTheCallersFault(vuf::CheckAcknowledgement(one, absl::FromUnixSeconds(1'699'999'000)));
    });
  }
  return 0;
}
