#include "server/service/endpoint_watch.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/service/call.h"
#include "vuf/v1/endpoint.pb.h"

namespace vuf {
namespace {

class Follower {
 public:
  Follower(Registry* registry, uint64_t after_revision)
      : registry_(registry), resumed_(after_revision != 0), revision_(after_revision) {}

  WatchStep Next() {
    if (!resumed_ && snapshot_ == nullptr) {
      snapshot_ = registry_->snapshot();
      next_present_ = snapshot_->endpoints.begin();
      revision_ = snapshot_->revision;
    }
    if (snapshot_ != nullptr && next_present_ != snapshot_->endpoints.end()) {
      const v1::Endpoint& endpoint = (next_present_++)->second;
      known_.insert(endpoint.name());
      return Send(v1::WatchEndpointsResponse::KIND_PRESENT, &endpoint, revision_);
    }
    if (next_change_ == changes_.size()) {
      const absl::Status status = Read();
      if (!status.ok()) return {std::nullopt, status};
    }
    if (next_change_ < changes_.size()) return SendChange(changes_[next_change_++]);
    if (synced_) return {};
    synced_ = true;
    return Send(v1::WatchEndpointsResponse::KIND_SYNCED, nullptr, revision_);
  }

 private:
  absl::Status Read() {
    absl::StatusOr<std::vector<Registry::EndpointChange>> changes =
        registry_->EndpointChangesSince(revision_);
    if (absl::IsOutOfRange(changes.status()) && (synced_ || !resumed_)) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this watcher does not keep up: the changes after revision ", revision_,
                       " are no longer kept; watch again from the present state"));
    }
    if (!changes.ok()) return changes.status();
    changes_ = *std::move(changes);
    next_change_ = 0;
    return absl::OkStatus();
  }

  WatchStep SendChange(const Registry::EndpointChange& change) {
    revision_ = change.revision;
    if (change.deleted) {
      known_.erase(change.endpoint.name());
      return Send(v1::WatchEndpointsResponse::KIND_DELETED, &change.endpoint, revision_);
    }
    const bool is_new = known_.insert(change.endpoint.name()).second;
    return Send(is_new ? v1::WatchEndpointsResponse::KIND_PRESENT
                       : v1::WatchEndpointsResponse::KIND_UPDATED,
                &change.endpoint, revision_);
  }

  static WatchStep Send(v1::WatchEndpointsResponse::Kind kind, const v1::Endpoint* endpoint,
                        uint64_t revision) {
    v1::WatchEndpointsResponse message;
    message.set_kind(kind);
    if (endpoint != nullptr) *message.mutable_endpoint() = *endpoint;
    message.set_revision(revision);
    return {*SerializeMessage(message), std::nullopt};
  }

  Registry* const registry_;
  const bool resumed_;
  uint64_t revision_;
  // Held until all of it is sent.
  std::shared_ptr<const Registry::Snapshot> snapshot_;
  std::map<std::string, v1::Endpoint>::const_iterator next_present_;
  std::vector<Registry::EndpointChange> changes_;
  size_t next_change_ = 0;
  // Sent and not deleted: at most what is registered.
  std::set<std::string> known_;
  bool synced_ = false;
};

}  // namespace

WatchSource WatchEndpointsFrom(Registry* registry, uint64_t after_revision) {
  return [follower = std::make_shared<Follower>(registry, after_revision)] {
    return follower->Next();
  };
}

}  // namespace vuf
