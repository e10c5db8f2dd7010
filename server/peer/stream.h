// The connection that a guest travels over from one host to another: made and authenticated by the
// two agents, then handed to the QEMUs as a descriptor. No port of QEMU's is ever open.
#ifndef VUFD_SERVER_PEER_STREAM_H_
#define VUFD_SERVER_PEER_STREAM_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vuf {

// A descriptor that is closed at the end.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&&) = delete;
  ~OwnedFd();

  int get() const { return fd_; }

 private:
  int fd_;
};

inline constexpr size_t kStreamTokenBytes = 32;

// For one connection. Not thread-safe.
class StreamListener {
 public:
  // On any free port of `host`, a numeric address. FAILED_PRECONDITION: not one of this host.
  static absl::StatusOr<std::unique_ptr<StreamListener>> Open(const std::string& host);

  // "HOST:PORT", with brackets around an IPv6 address.
  const std::string& address() const { return address_; }
  // The first connection that begins with `token`; others are closed. DEADLINE_EXCEEDED: none came.
  absl::StatusOr<OwnedFd> Accept(const std::string& token, absl::Time deadline);

 private:
  StreamListener(OwnedFd fd, std::string address)
      : fd_(std::move(fd)), address_(std::move(address)) {}

  const OwnedFd fd_;
  const std::string address_;
};

// Connects to `address` ("HOST:PORT", numeric) and sends `token`. UNAVAILABLE says why not.
absl::StatusOr<OwnedFd> ConnectStream(const std::string& address, const std::string& token,
                                      absl::Time deadline);

}  // namespace vuf

#endif  // VUFD_SERVER_PEER_STREAM_H_
