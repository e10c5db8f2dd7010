// The vhost-user messages that a keeper understands, as they are on the wire, and a connection that
// carries them. Source: QEMU's docs/interop/vhost-user.rst; numbers and layouts are the protocol's.
#ifndef VUFD_KEEPER_WIRE_H_
#define VUFD_KEEPER_WIRE_H_

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "keeper/fd.h"

namespace vuf::keeper {

enum Request : uint32_t {
  kGetFeatures = 1,
  kSetFeatures = 2,
  kSetOwner = 3,
  kSetMemTable = 5,
  kSetLogBase = 6,
  kSetLogFd = 7,
  kSetVringNum = 8,
  kSetVringAddr = 9,
  kSetVringBase = 10,
  kGetVringBase = 11,
  kSetVringKick = 12,
  kSetVringCall = 13,
  kSetVringErr = 14,
  kGetProtocolFeatures = 15,
  kSetProtocolFeatures = 16,
  kGetQueueNum = 17,
  kSetVringEnable = 18,
  kSetDeviceStateFd = 42,
  kCheckDeviceState = 43,
};

// Flags of a header. The two lowest bits are the version, which is 1.
inline constexpr uint32_t kVersionMask = 3;
inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kReply = 4;
inline constexpr uint32_t kNeedReply = 8;

// Protocol features.
inline constexpr uint64_t kMq = 1ull << 0;
inline constexpr uint64_t kLogShmfd = 1ull << 1;
inline constexpr uint64_t kReplyAck = 1ull << 3;
inline constexpr uint64_t kDeviceState = 1ull << 19;

// Virtio features.
inline constexpr uint64_t kLogAll = 1ull << 26;
inline constexpr uint64_t kProtocolFeatures = 1ull << 30;
inline constexpr uint64_t kAccessPlatform = 1ull << 33;
inline constexpr uint64_t kRingPacked = 1ull << 34;

inline constexpr size_t kMaxRegions = 8;
inline constexpr size_t kMaxFds = 8;
// hiprio, and request queues up to what any back-end is known to have.
inline constexpr size_t kMaxRings = 65;
// The largest payload is a full memory table: 8 + 8 * 32.
inline constexpr size_t kMaxPayload = 512;
// Of SET_VRING_KICK, CALL and ERR: the index; and the flag that says that no descriptor comes.
inline constexpr uint64_t kVringIndexMask = 0xff;
inline constexpr uint64_t kVringNoFd = 0x100;
// Of the reply to SET_DEVICE_STATE_FD.
inline constexpr uint64_t kNoFdReturned = 0x100;

struct Header {
  uint32_t request = 0;
  uint32_t flags = kVersion;
  uint32_t size = 0;
};

struct VringState {
  uint32_t index = 0;
  uint32_t num = 0;
};

struct VringAddr {
  uint32_t index = 0;
  uint32_t flags = 0;
  uint64_t descriptors = 0;
  uint64_t used = 0;
  uint64_t available = 0;
  uint64_t log = 0;
};

struct MemRegion {
  uint64_t guest_address = 0;
  uint64_t size = 0;
  uint64_t user_address = 0;
  uint64_t mmap_offset = 0;
};

struct MemTable {
  uint32_t count = 0;
  uint32_t padding = 0;
  std::array<MemRegion, kMaxRegions> regions;
};

struct LogBase {
  uint64_t size = 0;
  uint64_t offset = 0;
};

struct DeviceStateFd {
  enum Direction : uint32_t { kSave = 0, kLoad = 1 };
  uint32_t direction = 0;
  // 0: the device is stopped; the only one there is.
  uint32_t phase = 0;
};

// One message with its descriptors. Fixed size: a front-end cannot make a keeper allocate.
struct Message {
  Header header;
  std::array<uint8_t, kMaxPayload> payload;
  std::array<Fd, kMaxFds> fds;
  size_t fd_count = 0;

  bool need_reply() const { return (header.flags & kNeedReply) != 0; }
  // False: the payload has another size than T.
  template <typename T>
  bool Get(T& out) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (header.size != sizeof(T)) return false;
    memcpy(&out, payload.data(), sizeof(T));
    return true;
  }
  template <typename T>
  static Message Make(uint32_t request, const T& value, uint32_t flags = kVersion) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxPayload);
    Message out;
    out.header = {request, flags, sizeof(T)};
    memcpy(out.payload.data(), &value, sizeof(T));
    return out;
  }
  static Message Make(uint32_t request) {
    Message out;
    out.header.request = request;
    return out;
  }
  // Takes the descriptor along; the message must have room.
  void Add(Fd fd) { fds[fd_count++] = std::move(fd); }
};

// One end of a vhost-user connection: whole messages over a non-blocking stream socket.
class Connection {
 public:
  enum class Got {
    kMessage,
    kNothing,  // not yet
    kClosed,   // by the peer, between two messages
    kBroken,   // torn, too large, too many descriptors, another version, or an error; see problem()
  };

  Connection() = default;
  explicit Connection(Fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  bool open() const { return fd_.valid(); }
  void Close() { fd_.Close(); }
  // The next message. After kClosed or kBroken nothing more can be received.
  Got Receive(Message& out);
  // False: the peer is gone or does not read. Messages are small and a peer that waits for its
  // answers has room for them, so a full socket is an error like any other.
  bool Send(const Message& message);
  // Why kBroken.
  const char* problem() const { return problem_; }

 private:
  Got Broken(const char* why);
  Got ReadBytes(uint8_t* to, size_t wanted, size_t already, bool with_fds);
  bool TakeFds(const msghdr& control);

  Fd fd_;
  // The message that is arriving.
  Message partial_;
  size_t header_bytes_ = 0;
  size_t payload_bytes_ = 0;
  const char* problem_ = "";
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_WIRE_H_
