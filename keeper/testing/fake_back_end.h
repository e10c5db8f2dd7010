// A back-end that answers like virtiofsd, in lock-step with the test: nothing happens but in Serve.
#ifndef VUFD_KEEPER_TESTING_FAKE_BACK_END_H_
#define VUFD_KEEPER_TESTING_FAKE_BACK_END_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "keeper/back_end.h"
#include "keeper/testing/descriptors.h"
#include "keeper/wire.h"

namespace vuf::keeper {

// What a back-end answers unasked for an acknowledgement. Not taken from keeper/back_end.cc, which
// the tests and fuzzers check with it.
bool HasOwnAnswer(uint32_t request);

struct FakeBackEndOptions {
  uint64_t features = kProtocolFeatures | kLogAll | (1ull << 32) | (1ull << 29);
  uint64_t protocol_features = kMq | kLogShmfd | kReplyAck | kDeviceState | (1ull << 15);
  uint64_t queues = 2;
};

class FakeBackEnd {
 public:
  using Options = FakeBackEndOptions;
  struct Ring {
    uint32_t size = 0;
    uint32_t base = 0;
    VringAddr address;
    Fd kick;
    Fd call;
    bool enabled = false;
    // A request that was taken and is not answered.
    bool held = false;
    // Signals that were taken.
    uint64_t kicks_taken = 0;
  };
  // A request as it came.
  struct Seen {
    uint32_t request = 0;
    bool need_reply = false;
    size_t fds = 0;
    VringState state;
  };

  explicit FakeBackEnd(const Options& options = Options());

  // The keeper's connection, negotiated. Once.
  std::unique_ptr<BackEnd> Connect();
  // Answers what has come and serves the rings; false: there was nothing to do.
  bool Serve();
  void Close() { connection_.Close(); }
  // Sends something that nobody asked for.
  void Send(const Message& message) { connection_.Send(message); }

  // While set, nothing is read: as one that is stopped, or blocked in a request.
  bool stalled = false;
  // How many requests one Serve reads at most; 0: all.
  size_t most_at_once = 0;
  // Requests that are answered with an error.
  std::set<uint32_t> refused;
  // At this request the connection is closed.
  std::optional<uint32_t> closes_at;
  // To this request the answer has another size.
  std::optional<uint32_t> garbles;
  // What a save gives.
  std::string state = "the back-end's state";
  std::vector<Seen> seen;
  std::array<Ring, kMaxRings> rings;
  MemTable memory;
  std::vector<Fd> files;
  uint64_t features = 0;
  size_t log_bases = 0;
  // Notifications that could not be written to the descriptor that the front-end gave.
  int failed_calls = 0;
  std::string loaded;
  // The pipe of a load could be read without polling.
  bool load_was_blocking = false;

  size_t Count(uint32_t request) const;
  bool AnyEnabled() const;

 private:
  uint64_t Act(Message& message);
  uint64_t ActOnRing(Message& message);
  void Reply(const Message& message, uint64_t value);
  uint64_t Transfer(Message& message);
  bool ServeRing(Ring& ring);
  std::optional<uint16_t> ReadIndex(uint64_t address) const;
  void WriteIndex(uint64_t address, uint16_t value) const;
  const Fd* Locate(uint64_t address, off_t& at) const;

  const Options options_;
  Connection connection_;
  Fd peer_;
  Fd load_;
  // Requests of the negotiation, which were answered in advance.
  bool negotiating_ = true;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_TESTING_FAKE_BACK_END_H_
