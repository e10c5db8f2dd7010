// The permission for one hand-over, and how far it has come. Knows nothing of sockets.
#ifndef VUFD_KEEPER_HAND_OVER_H_
#define VUFD_KEEPER_HAND_OVER_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "keeper/marker.h"

namespace vuf::keeper {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// What became of a control request. The code's meaning is vuf.v1.KeeperResponse.Code's.
struct Result {
  enum class Code { kOk, kInvalidArgument, kFailedPrecondition, kInternal };
  Code code = Code::kOk;
  std::string message;

  bool ok() const { return code == Code::kOk; }
  static Result Ok() { return {}; }
  static Result Invalid(std::string message) {
    return {Code::kInvalidArgument, std::move(message)};
  }
  static Result Refused(std::string message) {
    return {Code::kFailedPrecondition, std::move(message)};
  }
  static Result Failed(std::string message) { return {Code::kInternal, std::move(message)}; }
};

struct Permit {
  enum class Direction { kOutgoing, kIncoming };
  std::string id;
  MarkerMode mode = MarkerMode::kStateless;
  Direction direction = Direction::kOutgoing;
  Time expires;
  // Inodes of the connections that may save and load. 0 as destination: any.
  uint64_t source = 0;
  uint64_t destination = 0;
};

// NONE -> ARMED -> SAVED -> LOADED -> (the nominee starts) -> NONE. Everything but the last step
// can be taken back: by Disarm, or by the old driver's starting again, unless it was fenced.
class HandOver {
 public:
  enum class Phase { kNone, kArmed, kSaved, kLoaded };

  explicit HandOver(const Id& instance) : instance_(instance) {}

  Phase phase() const { return phase_; }
  const Permit& permit() const { return permit_; }
  bool fenced() const { return fenced_; }
  // The connection that has loaded, in phase LOADED.
  uint64_t nominee() const { return nominee_; }
  const std::string& handed_over() const { return handed_over_; }
  uint64_t count() const { return count_; }
  bool saved_stateless() const {
    return phase_ >= Phase::kSaved && permit_.mode == MarkerMode::kStateless;
  }

  // The control service's requests.
  Result Arm(const Permit& permit);
  Result Disarm(const std::string& permit);
  Result Fence(const std::string& permit);

  // The rest return why it is not permitted, or "". `who` is the inode of the connection.
  std::string MaySave(Time now, uint64_t who) const;
  // The marker to write; makes the phase SAVED.
  MarkerBytes Save(const Id& session);
  // Stateless: the marker must be the one that was issued. Makes the phase LOADED, with `who` as
  // its nominee. Stateful: an incoming permit that was not used.
  std::string Load(Time now, uint64_t who, const Id& session, const MarkerBytes& bytes);
  // The nominee has started: it drives now.
  void Complete();
  // The driver starts again: what was saved is void. Not permitted when fenced.
  std::string TakeBack();
  // A connection has ended. A marker that it had loaded can be presented again.
  void Gone(uint64_t who);

 private:
  std::string Expired(Time now) const;
  void Clear();

  const Id instance_;
  Phase phase_ = Phase::kNone;
  Permit permit_;
  Marker issued_;
  bool fenced_ = false;
  uint64_t nominee_ = 0;
  std::string handed_over_;
  uint64_t count_ = 0;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_HAND_OVER_H_
