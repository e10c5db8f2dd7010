// The watches of VufClient: streams that are opened again when they are lost.
#include <algorithm>
#include <memory>

#include "client/rpc.h"
#include "client/vuf_client.h"
#include "server/base/migration_state.h"

namespace vuf {
namespace {

constexpr int kMaxBackoffFactor = 20;

// Counts streams that were lost without having brought a message.
class Losses {
 public:
  Losses(const ClientOptions& options, WatchCanceller* canceller)
      : options_(options), canceller_(canceller), backoff_(options.first_backoff) {}

  // Called after a stream ended with `status`: OK to open another one, or why not.
  absl::Status Next(const absl::Status& status, bool had_message) {
    if (canceller_->cancelled()) return absl::CancelledError("the watch was stopped");
    if (!status.ok() && !CanResume(status)) return status;
    if (had_message) {
      lost_ = 0;
      backoff_ = options_.first_backoff;
    }
    if (++lost_ >= options_.watch_attempts) {
      return status.ok() ? absl::UnavailableError("the agent keeps ending the watch") : status;
    }
    canceller_->Sleep(backoff_);
    backoff_ = std::min(backoff_ * 2, options_.first_backoff * kMaxBackoffFactor);
    return absl::OkStatus();
  }

 private:
  static bool CanResume(const absl::Status& status) {
    return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
           absl::IsResourceExhausted(status) || absl::IsOutOfRange(status);
  }

  const ClientOptions& options_;
  WatchCanceller* const canceller_;
  absl::Duration backoff_;
  int lost_ = 0;
};

// Opens a stream with `open(context)` and passes its messages on until it ends.
template <typename Message, typename Open, typename OnMessage>
absl::Status ReadStream(const Open& open, const OnMessage& on_message, absl::Duration timeout,
                        WatchCanceller* canceller) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  auto reader = open(&context);
  canceller->SetStream(&context);
  Message message;
  while (reader->Read(&message)) on_message(message);
  canceller->SetStream(nullptr);
  return FromGrpc(reader->Finish());
}

}  // namespace

absl::StatusOr<v1::Migration> VufClient::WatchMigration(
    const std::string& name, const std::function<void(const v1::Migration&)>& on_change,
    WatchCanceller* canceller) {
  Losses losses(options_, canceller);
  v1::Migration last;
  // Every stream begins with the present state (after_revision stays 0): a stream that brings
  // nothing at all is then one to an agent that hangs.
  v1::WatchMigrationRequest request;
  request.set_name(name);
  for (;;) {
    bool had_message = false;
    const absl::Status status = ReadStream<v1::WatchMigrationResponse>(
        [&](grpc::ClientContext* context) { return migrations_->WatchMigration(context, request); },
        [&](const v1::WatchMigrationResponse& message) {
          had_message = true;
          if (message.migration().revision() <= last.revision()) return;
          last = message.migration();
          on_change(last);
        },
        options_.stream_timeout, canceller);
    if (IsFinal(last.state())) return last;
    absl::Status next = losses.Next(status, had_message);
    if (!next.ok()) return next;
  }
}

absl::Status VufClient::WatchEndpoints(
    const std::function<void(const v1::WatchEndpointsResponse&)>& on_message,
    WatchCanceller* canceller) {
  Losses losses(options_, canceller);
  v1::WatchEndpointsRequest request;
  for (;;) {
    bool had_message = false;
    const absl::Status status = ReadStream<v1::WatchEndpointsResponse>(
        [&](grpc::ClientContext* context) { return endpoints_->WatchEndpoints(context, request); },
        [&](const v1::WatchEndpointsResponse& message) {
          had_message = true;
          request.set_after_revision(message.revision());
          on_message(message);
        },
        options_.stream_timeout, canceller);
    // Revisions count within one run of the agent, and a lost connection may mean another run.
    if (absl::IsUnavailable(status) || absl::IsOutOfRange(status)) request.set_after_revision(0);
    // Nothing changed for as long as the stream lived: that is no loss.
    had_message = had_message || absl::IsDeadlineExceeded(status);
    absl::Status next = losses.Next(status, had_message);
    if (!next.ok()) return next;
  }
}

}  // namespace vuf
