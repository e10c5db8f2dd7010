#include "server/service/endpoint_service.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/migration_state.h"
#include "server/registry/request_key.h"
#include "server/service/endpoint_watch.h"
#include "server/service/filter.h"
#include "server/service/paging.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

absl::Status CheckIsNoOtherThing(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0 || S_ISSOCK(info.st_mode)) return absl::OkStatus();
  return InvalidField("endpoint.socket_path", path,
                      S_ISDIR(info.st_mode) ? "a socket, but this is a directory"
                                            : "a socket, but this is another kind of file");
}

absl::Status Check(const v1::CreateEndpointRequest& request) {
  absl::Status status = CheckId("endpoint_id", request.endpoint_id());
  if (status.ok()) {
    status = CheckSocketPath("endpoint.socket_path", request.endpoint().socket_path());
  }
  if (status.ok()) status = CheckIsNoOtherThing(request.endpoint().socket_path());
  if (status.ok()) status = CheckLabels("endpoint.labels", request.endpoint().labels());
  if (status.ok()) status = CheckRequestId(request.request_id());
  return status;
}

absl::Status Check(const v1::UpdateEndpointRequest& request) {
  const absl::Status status = CheckName("endpoint.name", "endpoints", request.endpoint().name());
  if (!status.ok()) return status;
  if (request.update_mask().paths().empty()) {
    return InvalidField("update_mask", "", "\"labels\", \"profile\" or both");
  }
  for (const std::string& path : request.update_mask().paths()) {
    if (path != "labels" && path != "profile") {
      return InvalidField("update_mask", path, "\"labels\", \"profile\" or both");
    }
  }
  return CheckLabels("endpoint.labels", request.endpoint().labels());
}

}  // namespace

absl::Status EndpointServiceShell::CheckProfile(const std::string& profile) const {
  if (profile.empty()) return absl::OkStatus();
  const absl::Status checked = CheckName("endpoint.profile", "backEndProfiles", profile);
  if (!checked.ok()) return checked;
  if (deps_.registry->snapshot()->profiles.count(profile) != 0) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("endpoint.profile: there is no back-end profile ", Quoted(profile)));
}

absl::StatusOr<v1::Endpoint> EndpointServiceShell::Create(const v1::CreateEndpointRequest& request,
                                                          absl::Time deadline) {
  absl::Status checked = Check(request);
  if (checked.ok()) checked = CheckProfile(request.endpoint().profile());
  if (!checked.ok()) return checked;
  v1::Endpoint endpoint;
  endpoint.set_name(absl::StrCat("endpoints/", request.endpoint_id()));
  endpoint.set_socket_path(request.endpoint().socket_path());
  *endpoint.mutable_labels() = request.endpoint().labels();
  endpoint.set_profile(request.endpoint().profile());
  deps_.observer->Look(&endpoint, deadline);
  return deps_.registry->CreateEndpoint(
      std::move(endpoint), MakeRequestKey("EndpointService.CreateEndpoint", request), deadline);
}

absl::StatusOr<v1::Endpoint> EndpointServiceShell::Get(const v1::GetEndpointRequest& request,
                                                       absl::Time deadline) {
  const absl::Status checked = CheckName("name", "endpoints", request.name());
  if (!checked.ok()) return checked;
  return deps_.observer->Observe(request.name(), deadline);
}

absl::StatusOr<v1::ListEndpointsResponse> EndpointServiceShell::List(
    const v1::ListEndpointsRequest& request) {
  const absl::StatusOr<EndpointFilter> filter = EndpointFilter::Parse(request.filter());
  if (!filter.ok()) return filter.status();
  absl::StatusOr<Page> page = Page::Begin(absl::StrCat("ListEndpoints ", request.filter()),
                                          request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListEndpointsResponse response;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  for (const auto& [name, endpoint] : snapshot->endpoints) {
    if (!filter->Matches(endpoint) || !page->Takes(name)) continue;
    v1::Endpoint* const added = response.add_endpoints();
    *added = endpoint;
    deps_.observer->FillObserveTime(added);
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

absl::StatusOr<v1::Endpoint> EndpointServiceShell::Update(const v1::UpdateEndpointRequest& request,
                                                          absl::Time deadline) {
  const std::set<std::string> paths(request.update_mask().paths().begin(),
                                    request.update_mask().paths().end());
  absl::Status checked = Check(request);
  if (checked.ok() && paths.count("profile") != 0) {
    checked = CheckProfile(request.endpoint().profile());
  }
  if (!checked.ok()) return checked;
  const v1::Endpoint& wanted = request.endpoint();
  return deps_.registry->UpdateEndpoint(
      wanted.name(),
      [&](v1::Endpoint& endpoint) -> absl::Status {
        if (!wanted.etag().empty() && wanted.etag() != endpoint.etag()) {
          return absl::AbortedError(
              absl::StrCat("endpoint.etag: ", Quoted(wanted.etag()), " is out of date; it is now ",
                           Quoted(endpoint.etag()), ": read ", wanted.name(), " again"));
        }
        if (paths.count("labels") != 0) *endpoint.mutable_labels() = wanted.labels();
        if (paths.count("profile") != 0) endpoint.set_profile(wanted.profile());
        return absl::OkStatus();
      },
      deadline);
}

absl::Status EndpointServiceShell::CheckNotMigrating(const std::string& name) const {
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  const auto endpoint = snapshot->endpoints.find(name);
  if (endpoint == snapshot->endpoints.end()) return absl::OkStatus();
  for (const v1::Migration& migration : deps_.migrator->List()) {
    if (IsFinal(migration.state())) continue;
    const auto& devices = migration.verdict().devices();
    const bool uses = std::any_of(devices.begin(), devices.end(), [&](const auto& device) {
      return device.socket_path() == endpoint->second.socket_path();
    });
    if (!uses && migration.has_verdict()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("name: ", name, uses ? " is used by " : " may be used by ", migration.name(),
                     ", which is running; wait for its end or cancel it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::DeleteEndpointResponse> EndpointServiceShell::Delete(
    const v1::DeleteEndpointRequest& request, absl::Time deadline) {
  absl::Status status = CheckName("name", "endpoints", request.name());
  if (status.ok()) status = CheckNotMigrating(request.name());
  if (status.ok()) {
    status = deps_.registry->DeleteEndpoint(request.name(), request.etag(), deadline);
  }
  if (!status.ok()) return status;
  return v1::DeleteEndpointResponse();
}

grpc::ServerUnaryReactor* EndpointServiceShell::CreateEndpoint(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* in,
                                                               grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::CreateEndpointRequest, v1::Endpoint>(
      context, "EndpointService/CreateEndpoint", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Create(request, deadline); });
}

grpc::ServerUnaryReactor* EndpointServiceShell::GetEndpoint(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* in,
                                                            grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::GetEndpointRequest, v1::Endpoint>(
      context, "EndpointService/GetEndpoint", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Get(request, deadline); });
}

grpc::ServerUnaryReactor* EndpointServiceShell::ListEndpoints(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* in,
                                                              grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::ListEndpointsRequest, v1::ListEndpointsResponse>(
      context, "EndpointService/ListEndpoints", nullptr, in, out,
      [this](const auto& request, absl::Time) { return List(request); });
}

grpc::ServerUnaryReactor* EndpointServiceShell::UpdateEndpoint(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* in,
                                                               grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::UpdateEndpointRequest, v1::Endpoint>(
      context, "EndpointService/UpdateEndpoint", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Update(request, deadline); });
}

grpc::ServerUnaryReactor* EndpointServiceShell::DeleteEndpoint(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* in,
                                                               grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::DeleteEndpointRequest, v1::DeleteEndpointResponse>(
      context, "EndpointService/DeleteEndpoint", deps_.write_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Delete(request, deadline); });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* EndpointServiceShell::WatchEndpoints(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in) {
  return deps_.watches->Watch(*context, "EndpointService/WatchEndpoints", [this, in] {
    v1::WatchEndpointsRequest request;
    const absl::Status parsed = ParseMessage(*in, &request);
    return parsed.ok() ? WatchEndpointsFrom(deps_.registry, request.after_revision())
                       : EndsWith(parsed);
  });
}

}  // namespace vuf
