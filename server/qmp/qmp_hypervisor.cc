#include "server/qmp/qmp_hypervisor.h"

#include <utility>

#include "server/qmp/parse.h"
#include "server/qmp/queries.h"

namespace vuf {

using Json = nlohmann::json;

absl::StatusOr<std::unique_ptr<Hypervisor>> QmpConnector::Connect(const std::string& qmp_socket,
                                                                  absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<QmpConnection>> connection =
      QmpConnection::Open(qmp_socket, deadline);
  if (!connection.ok()) return connection.status();
  return std::unique_ptr<Hypervisor>(
      std::make_unique<QmpHypervisor>(*std::move(connection), clock_));
}

absl::StatusOr<Json> QmpHypervisor::Run(const QmpCommand& command, absl::Time deadline) {
  absl::StatusOr<QmpReply> reply = connection_->Run(command, deadline);
  if (!reply.ok()) return reply.status();
  if (!reply->ok()) return reply->ToStatus(command.name);
  return *std::move(reply->value);
}

absl::StatusOr<MigrationInfo> QmpHypervisor::QueryMigration(absl::Time deadline) {
  const absl::StatusOr<Json> value = Run({"query-migrate"}, deadline);
  if (!value.ok()) return value.status();
  return ParseMigration(*value);
}

absl::StatusOr<std::string> QmpHypervisor::QueryRunState(absl::Time deadline) {
  const absl::StatusOr<Json> value = Run({"query-status"}, deadline);
  if (!value.ok()) return value.status();
  return ParseMember(*value, "status");
}

absl::StatusOr<Standing> QmpHypervisor::QueryStanding(absl::Time deadline) {
  const absl::StatusOr<std::vector<QmpReply>> replies =
      connection_->RunAll({{"query-migrate"}, {"query-status"}, {"query-chardev"}}, deadline);
  if (!replies.ok()) return replies.status();
  absl::StatusOr<MigrationInfo> migration = Read((*replies)[0], "query-migrate", ParseMigration);
  if (!migration.ok()) return migration.status();
  absl::StatusOr<std::string> run_state =
      Read((*replies)[1], "query-status", [](const Json& v) { return ParseMember(v, "status"); });
  if (!run_state.ok()) return run_state.status();
  absl::StatusOr<std::map<std::string, ChardevFacts>> chardevs =
      Read((*replies)[2], "query-chardev", ParseChardevs);
  if (!chardevs.ok()) return chardevs.status();
  return Standing{*std::move(migration), *std::move(run_state), *std::move(chardevs)};
}

absl::StatusOr<MonitorEvent> QmpHypervisor::Await(absl::Time deadline) {
  absl::StatusOr<std::optional<QmpEvent>> event = connection_->AwaitEvent(deadline);
  if (!event.ok()) return event.status();
  if (!event->has_value()) return MonitorEvent{};
  MonitorEvent out;
  out.name = std::move((*event)->name);
  if (out.name == "MIGRATION") {
    absl::StatusOr<std::string> status = ParseMember((*event)->data, "status");
    if (!status.ok()) return status.status();
    out.status = *std::move(status);
  }
  return out;
}

absl::Status QmpHypervisor::Do(Act act, absl::Time deadline) {
  switch (act) {
    case Act::kMigrateContinue:
      return Run({"migrate-continue", Json::object({{"state", "pre-switchover"}})}, deadline)
          .status();
    case Act::kMigrateCancel:
      return Run({"migrate_cancel"}, deadline).status();
    case Act::kCont:
      return Run({"cont"}, deadline).status();
    case Act::kQuit:
      return Run({"quit"}, deadline).status();
  }
  return absl::InvalidArgumentError("no such act");
}

}  // namespace vuf
