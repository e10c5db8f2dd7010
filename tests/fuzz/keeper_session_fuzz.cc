// Whatever front-ends, the back-end and vufd do to a session, in any order. After each step: one
// front-end at most is served, it is the one that the session says, nothing of a fenced one has
// reached the back-end, no running ring was set back, nobody was answered twice, and descriptors
// are bounded. In the end everybody has been answered.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>
#include <vector>

#include "keeper/log.h"
#include "tests/fuzz/keeper_session_actors.h"

namespace vuf::keeper {
namespace {

constexpr uint64_t kFeatures = kProtocolFeatures | (1ull << 32);
constexpr int kMaxSteps = 200;
// More than every message of an input needs: a step sends 12 at most, and a stop takes two rounds.
constexpr int kMaxRounds = kMaxSteps * 12 * 2 + 100;
#define CHECK_THAT(condition) \
  if (!(condition)) abort()

class World {
 public:
  World(const uint8_t* data, size_t size) : input_(data, size) {
    FakeBackEnd::Options options;
    const uint8_t kind = input_.Byte();
    if ((kind & 1) != 0) options.protocol_features &= ~kReplyAck;
    if ((kind & 2) != 0) options.protocol_features &= ~kDeviceState;
    back_end_ = std::make_unique<FakeBackEnd>(options);
    session_ = std::make_unique<Session>(SessionOptions(), back_end_->Connect());
    scanned_ = back_end_->seen.size();
  }

  void Go() {
    for (int steps = 0; steps < kMaxSteps && !input_.empty() && !session_->end(); ++steps) {
      const bool quiet = Quiet();
      const size_t before = back_end_->seen.size();
      Anyone& who = people_[input_.Byte() % people_.size()];
      const bool fenced = RoleOf(who) == v1::KeeperFrontEnd::ROLE_FENCED;
      const bool of_front_end = Step(who);
      Pump();
      if (fenced && quiet && of_front_end) CHECK_THAT(back_end_->seen.size() == before);
      Check();
    }
    Settle();
  }

 private:
  bool Quiet() const {
    return !back_end_->stalled && !session_->replacing() && !session_->Patience(now_) &&
           Describe().back_end().unanswered() == 0;
  }
  v1::KeeperSession Describe() const {
    v1::KeeperSession out;
    session_->Describe(now_, out);
    return out;
  }
  v1::KeeperFrontEnd::Role RoleOf(const Anyone& who) const {
    const v1::KeeperSession session = Describe();
    for (const v1::KeeperFrontEnd& one : session.front_ends()) {
      if (one.socket_inode() == who.inode) return one.role();
    }
    return v1::KeeperFrontEnd::ROLE_UNSPECIFIED;
  }

  void Pump() {
    for (int i = 0; i < 3; ++i) {
      if (session_->end()) return;
      session_->Dispatch(now_);
      back_end_->Serve();
      if (fresh_) fresh_->Serve();
      for (Anyone& one : people_) one.ReadAnswers();
      if (!session_->replacing() && fresh_) EndReplacement();
    }
  }
  void EndReplacement() {
    // The session has the one that it moved to.
    if (session_->replacement_result().ok()) {
      std::swap(back_end_, fresh_);
      scanned_ = back_end_->seen.size();
      enabled_ = {};
      for (uint32_t i = 0; i < kMaxRings; ++i) enabled_[i] = back_end_->rings[i].enabled;
    }
    fresh_.reset();
  }

  void Check() {
    for (; scanned_ < back_end_->seen.size(); ++scanned_) {
      const FakeBackEnd::Seen& one = back_end_->seen[scanned_];
      const uint32_t ring = one.state.index;
      if (one.request == kSetVringEnable && ring < kMaxRings) enabled_[ring] = one.state.num != 0;
      if (one.request == kGetVringBase && ring < kMaxRings) enabled_[ring] = false;
      if (one.request == kSetVringBase) CHECK_THAT(ring < kMaxRings && !enabled_[ring]);
    }
    const v1::KeeperSession session = Describe();
    CHECK_THAT(session.revision() >= revision_);
    revision_ = session.revision();
    int drivers = 0;
    for (const v1::KeeperFrontEnd& one : session.front_ends()) {
      drivers += one.role() == v1::KeeperFrontEnd::ROLE_DRIVER ? 1 : 0;
    }
    CHECK_THAT(drivers <= 1);
    for (const Anyone& one : people_) CHECK_THAT(one.owed >= 0);
    CHECK_THAT((session.phase() == v1::KeeperSession::PHASE_NONE) == session.permit().empty());
    std::string packet;
    CHECK_THAT(session.SerializeToString(&packet) && v1::KeeperSession().ParseFromString(packet));
    if (!session_->end() && !odd_memory_) CheckMemory(session);
    // Counting is slow.
    if (++checks_ % 16 == 0) CHECK_THAT(OpenDescriptors() < 2500);
  }
  // Rings that are served are served in the memory of the driver.
  void CheckMemory(const v1::KeeperSession& session) {
    if (!Quiet() || !back_end_->AnyEnabled()) return;
    bool driven = false;
    for (const v1::KeeperFrontEnd& one : session.front_ends()) {
      if (one.role() != v1::KeeperFrontEnd::ROLE_DRIVER) continue;
      for (const Anyone& who : people_) {
        driven = driven || (who.inode == one.socket_inode() && !back_end_->files.empty() &&
                            SameFile(who.memory, back_end_->files[0]));
      }
    }
    CHECK_THAT(driven);
  }
  // Until the back-end has heard nothing for longer than any limit of the session's. How many
  // rounds that takes is the input's affair: one message of a front-end is under way at a time, so
  // those that queued up in its socket behind a stalled back-end take a turn each.
  void HearAll() {
    for (int rounds = 0, quiet = 0; quiet < 30 && !session_->end(); ++rounds) {
      CHECK_THAT(rounds < kMaxRounds);
      const size_t before = back_end_->seen.size();
      now_ += std::chrono::seconds(1);
      Pump();
      quiet = back_end_->seen.size() == before ? quiet + 1 : 0;
    }
  }
  // Once the back-end answers again, nobody is left waiting.
  void Settle() {
    for (FakeBackEnd* one : {back_end_.get(), fresh_.get()}) {
      if (one == nullptr) continue;
      one->stalled = false;
      one->most_at_once = 0;
    }
    HearAll();
    if (session_->end()) return;
    CHECK_THAT(Describe().back_end().unanswered() == 0);
    CHECK_THAT(!session_->Patience(now_).has_value());
    for (const Anyone& one : people_) CHECK_THAT(!one.connection.open() || one.owed == 0);
  }

  // True: it was something that `who` sent.
  bool Step(Anyone& who) {
    switch (input_.Byte() % 16) {
      case 0:
        Connect(who);
        return false;
      case 1:
        who.connection.Close();
        return false;
      case 2:
      case 3:
        odd_memory_ = who.SendAnything(input_) || odd_memory_;
        return true;
      case 4:
        who.Describe(kFeatures, 2, input_.Byte() & 1);
        return true;
      case 5:
      case 6:
        who.SendRing(input_, kSetVringEnable, 1);
        return true;
      case 7:
        who.SendRing(input_, kSetVringEnable, 0);
        return true;
      case 8:
        who.SendRing(input_, kGetVringBase, 0);
        return true;
      case 9:
        who.Save();
        Pump();
        who.TakeSaved(saved_);
        return true;
      case 10:
        who.Load(input_, saved_);
        return true;
      case 11:
        who.Send(Message::Make(kCheckDeviceState), false);
        return true;
      case 12:
        Control(who);
        return false;
      case 13:
        now_ += std::chrono::milliseconds(input_.Number() & 0xffff);
        return false;
      case 14:
        who.SubmitOn(input_.Byte() & 1, input_.Byte());
        return false;
      default:
        BackEndActs();
        return false;
    }
  }

  void Connect(Anyone& who) {
    if (who.connection.open()) return;
    auto [here, there] = SocketPair();
    who = Anyone();
    who.user_address = uint64_t{0x10000000} * (1 + input_.Byte());
    who.inode = InodeOf(there.get());
    who.connection = Connection(std::move(here));
    session_->Add(std::move(there), 1);
  }
  void Control(const Anyone& who) {
    const uint8_t what = input_.Byte();
    const std::string id(1, static_cast<char>('p' + (what >> 6)));
    Permit permit;
    switch (what % 8) {
      case 0:
        (void)session_->Disarm(id);
        return;
      case 1:
        (void)session_->Fence(id);
        return;
      case 2:
        return Replace();
      default:
        permit.id = id;
        permit.mode = (what & 8) != 0 ? MarkerMode::kStateful : MarkerMode::kStateless;
        if ((what & 24) == 24) permit.direction = Permit::Direction::kIncoming;
        permit.source = who.inode;
        permit.destination = (what & 32) != 0 ? people_[input_.Byte() % people_.size()].inode : 0;
        permit.expires = now_ + std::chrono::seconds(20);
        (void)session_->Arm(permit);
    }
  }
  void Replace() {
    if (fresh_ || session_->replacing()) return;
    fresh_ = std::make_unique<FakeBackEnd>();
    if (!session_->BeginReplacement(fresh_->Connect(), now_).ok()) fresh_.reset();
  }
  void BackEndActs() {
    FakeBackEnd& one = fresh_ && (input_.Byte() & 1) != 0 ? *fresh_ : *back_end_;
    const uint8_t what = input_.Byte();
    switch (what % 9) {
      case 0:
        one.stalled = !one.stalled;
        return;
      case 1:
        one.rings[(what >> 4) & 1].held = (what & 64) != 0;
        return;
      case 2:
        odd_memory_ = true;  // a table that was refused leaves the one before
        one.refused = {AnyRequest(input_)};
        return;
      case 3:
        one.refused.clear();
        return;
      case 4:
        if (what > 240) one.Close();
        return;
      case 5:
        if (what > 240) one.garbles = AnyRequest(input_);
        return;
      case 6:
        if (what > 240) one.Send(Message::Make(kGetVringBase, input_.Number(), kVersion | kReply));
        return;
      case 7:
        one.most_at_once = (what >> 4) & 3;
        return;
      default:
        one.rings[(what >> 4) & 1].base += 1;  // as one that takes a request without answering it
    }
  }

  Input input_;
  Time now_ = Time() + std::chrono::hours(1);
  std::unique_ptr<FakeBackEnd> back_end_;
  std::unique_ptr<FakeBackEnd> fresh_;
  std::unique_ptr<Session> session_;
  std::array<Anyone, 4> people_;
  std::string saved_;
  size_t scanned_ = 0;
  std::array<bool, kMaxRings> enabled_ = {};
  uint64_t revision_ = 0;
  uint64_t checks_ = 0;
  // The back-end need not have the memory that the driver has described.
  bool odd_memory_ = false;
};

}  // namespace
}  // namespace vuf::keeper

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  signal(SIGPIPE, SIG_IGN);
  // Quieter than the quietest level there is.
  vuf::keeper::SetLogLevel(static_cast<vuf::keeper::Level>(-1));
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const size_t before = vuf::keeper::OpenDescriptors();
  { vuf::keeper::World(data, size).Go(); }
  if (vuf::keeper::OpenDescriptors() != before) abort();
  return 0;
}
