#include "server/http/http_stream.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace vuf {
namespace {

class PlainStream : public HttpStream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}
  ~PlainStream() override { close(fd_); }
  PlainStream(const PlainStream&) = delete;
  PlainStream& operator=(const PlainStream&) = delete;

  ssize_t Read(char* buffer, size_t size) override {
    events_ = POLLIN;
    const ssize_t n = recv(fd_, buffer, size, 0);
    return n > 0 ? n : n < 0 && Later() ? 0 : -1;
  }
  ssize_t Write(const char* data, size_t size) override {
    events_ = POLLOUT;
    const ssize_t n = send(fd_, data, size, MSG_NOSIGNAL);
    return n >= 0 ? n : Later() ? 0 : -1;
  }
  short events() const override { return events_; }

 private:
  static bool Later() { return errno == EAGAIN || errno == EINTR; }

  const int fd_;
  short events_ = POLLIN;
};

}  // namespace

std::unique_ptr<HttpStream> PlainHttpStream(int fd) { return std::make_unique<PlainStream>(fd); }

}  // namespace vuf
