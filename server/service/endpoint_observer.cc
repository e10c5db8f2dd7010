#include "server/service/endpoint_observer.h"

#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

v1::Endpoint::State StateOf(EndpointSighting::State state) {
  switch (state) {
    case EndpointSighting::State::kUnknown:
      return v1::Endpoint::STATE_UNKNOWN;
    case EndpointSighting::State::kInUse:
      return v1::Endpoint::STATE_IN_USE;
    case EndpointSighting::State::kListening:
      return v1::Endpoint::STATE_LISTENING;
    case EndpointSighting::State::kAbsent:
      return v1::Endpoint::STATE_ABSENT;
  }
  return v1::Endpoint::STATE_UNKNOWN;
}

auto IdentityOf(const v1::Endpoint& endpoint) {
  return std::make_tuple(endpoint.back_end().pid(), endpoint.back_end().start_ticks(),
                         endpoint.socket_device(), endpoint.socket_inode(), endpoint.boot_id());
}

// Nothing that matters but the time of the look differs.
bool SameButForTime(v1::Endpoint a, v1::Endpoint b) {
  a.clear_observe_time();
  b.clear_observe_time();
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

}  // namespace

bool ApplySighting(const EndpointSighting& sighting, const Evidence<std::string>& boot_id,
                   absl::Time now, v1::Endpoint* endpoint) {
  const auto before = IdentityOf(*endpoint);
  const bool first = !endpoint->has_observe_time();
  endpoint->set_state(StateOf(sighting.state));
  endpoint->set_observe_error(ValidUtf8(sighting.error));
  *endpoint->mutable_observe_time() = ToProto(now);
  if (sighting.state == EndpointSighting::State::kUnknown) return false;
  endpoint->clear_back_end();
  if (sighting.back_end.process.known()) {
    *endpoint->mutable_back_end() = ToProto(sighting.back_end);
  }
  const FileId file = sighting.socket_file.value_or(FileId());
  endpoint->set_socket_device(file.device);
  endpoint->set_socket_inode(file.inode);
  if (boot_id.known()) endpoint->set_boot_id(*boot_id.value);
  return !first && IdentityOf(*endpoint) != before;
}

void EndpointObserver::Look(v1::Endpoint* endpoint, absl::Time deadline) {
  const EndpointSighting sighting = discovery_->ObserveEndpoint(endpoint->socket_path(), deadline);
  ApplySighting(sighting, discovery_->BootId(), clock_->Now(), endpoint);
}

absl::StatusOr<v1::Endpoint> EndpointObserver::Observe(const std::string& name,
                                                       absl::Time deadline) {
  const std::shared_ptr<const Registry::Snapshot> snapshot = registry_->snapshot();
  const auto found = snapshot->endpoints.find(name);
  if (found == snapshot->endpoints.end()) {
    return absl::NotFoundError(absl::StrCat("name: there is no endpoint ", Quoted(name)));
  }
  const EndpointSighting sighting =
      discovery_->ObserveEndpoint(found->second.socket_path(), deadline);
  const Evidence<std::string> boot_id = discovery_->BootId();
  const absl::Time now = clock_->Now();
  NoteLook(name, *snapshot);
  const auto apply = [&](v1::Endpoint& endpoint) {
    if (ApplySighting(sighting, boot_id, now, &endpoint)) {
      endpoint.set_generation(endpoint.generation() + 1);
    }
    return absl::OkStatus();
  };
  v1::Endpoint seen = found->second;
  apply(seen).IgnoreError();
  if (SameButForTime(seen, found->second)) return seen;
  return registry_->UpdateEndpoint(name, apply, deadline);
}

void EndpointObserver::NoteLook(const std::string& name, const Registry::Snapshot& snapshot) {
  const absl::Time now = clock_->Now();
  MutexLock lock(&mu_);
  looked_[name] = now;
  if (looked_.size() <= snapshot.endpoints.size() + 1) return;
  std::erase_if(looked_,
                [&](const auto& look) { return snapshot.endpoints.count(look.first) == 0; });
}

bool EndpointObserver::StillAsSeen(const v1::Endpoint& endpoint,
                                   const std::optional<SocketSighting>& sockets) {
  const auto before = seen_.find(endpoint.name());
  if (!sockets || before == seen_.end() || !(before->second == *sockets)) return false;
  const v1::BackEnd& back_end = endpoint.back_end();
  if (endpoint.state() == v1::Endpoint::STATE_ABSENT) return true;
  return endpoint.state() != v1::Endpoint::STATE_UNKNOWN && back_end.pid() > 0 &&
         !back_end.has_keeper() && back_end.keeper_error().empty() &&
         !discovery_->IsGone({back_end.pid(), back_end.start_ticks()});
}

void EndpointObserver::ObserveAll(absl::Duration each, const std::function<bool()>& goes_on) {
  const std::shared_ptr<const Registry::Snapshot> snapshot = registry_->snapshot();
  std::vector<std::string> paths;
  for (const auto& [name, endpoint] : snapshot->endpoints) paths.push_back(endpoint.socket_path());
  const auto sockets = discovery_->ObserveSockets(paths, absl::Now() + each);
  std::erase_if(seen_,
                [&](const auto& seen) { return snapshot->endpoints.count(seen.first) == 0; });
  auto seen = sockets.begin();
  for (const auto& [name, endpoint] : snapshot->endpoints) {
    const std::optional<SocketSighting>& now = *seen++;
    if (!goes_on()) return;
    if (StillAsSeen(endpoint, now)) {
      NoteLook(name, *snapshot);
      continue;
    }
    seen_.erase(name);
    const absl::Status status = Observe(name, absl::Now() + each).status();
    if (status.ok() && now) seen_[name] = *now;
    // Deleted since the snapshot was taken: nothing to say.
    if (status.ok() || absl::IsNotFound(status)) continue;
    Log(LogLevel::kWarning, "endpoint could not be recorded",
        {{"endpoint", name}, {"error", std::string(status.message())}});
  }
}

void EndpointObserver::FillObserveTime(v1::Endpoint* endpoint) const {
  MutexLock lock(&mu_);
  const auto found = looked_.find(endpoint->name());
  if (found != looked_.end()) *endpoint->mutable_observe_time() = ToProto(found->second);
}

}  // namespace vuf
