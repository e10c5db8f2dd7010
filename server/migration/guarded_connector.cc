#include "server/migration/guarded_connector.h"

#include "absl/strings/str_cat.h"

namespace vuf {

absl::StatusOr<std::unique_ptr<Hypervisor>> GuardedConnector::Connect(const std::string& qmp_socket,
                                                                      absl::Time deadline) {
  const absl::Status status = Check(qmp_socket, deadline);
  if (!status.ok()) return status;
  return connector_->Connect(qmp_socket, deadline);
}

absl::Status GuardedConnector::Check(const std::string& qmp_socket, absl::Time deadline) {
  const EndpointSighting sighting = discovery_->ObserveEndpoint(qmp_socket, deadline);
  // Nothing is there to be harmed; the connector says what is wrong with the path.
  if (!sighting.socket_file.has_value()) return absl::OkStatus();
  const Evidence<std::string>& executable = sighting.back_end.executable;
  if (!executable.known()) {
    const bool nobody = sighting.state == EndpointSighting::State::kAbsent;
    return absl::Status(
        nobody ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kUnavailable,
        absl::StrCat("cannot tell what serves ", qmp_socket,
                     " and will not connect to what may be a back-end: ",
                     sighting.error.empty() ? executable.detail : sighting.error));
  }
  const std::string name = executable.value->substr(executable.value->rfind('/') + 1);
  const std::shared_ptr<const Registry::Snapshot> registry = registry_->snapshot();
  for (const auto& [endpoint_name, endpoint] : registry->endpoints) {
    if (endpoint.socket_path() != qmp_socket) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        qmp_socket, " is registered as ", endpoint_name, ", a back-end: this is no QMP socket"));
  }
  for (const auto& [profile_name, profile] : registry->profiles) {
    if (profile.executable_name() != name) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(qmp_socket, " is served by ", *executable.value,
                     ", a back-end: this is no QMP socket, and connecting would end its session"));
  }
  return absl::OkStatus();
}

}  // namespace vuf
