// Descriptors that close themselves.
#ifndef VUFD_KEEPER_FD_H_
#define VUFD_KEEPER_FD_H_

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace vuf::keeper {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // Another descriptor for the same thing; not valid when there is none to be had.
  Fd Duplicate() const { return Fd(valid() ? fcntl(fd_, F_DUPFD_CLOEXEC, 0) : -1); }

 private:
  int fd_ = -1;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_FD_H_
