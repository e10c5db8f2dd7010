#include "server/service/listen_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

absl::Status Refuse(const std::string& path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("listen_socket ", Quoted(path), ": ", why));
}

absl::Status MakeDirectoryOf(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));
  if (directory.empty() || mkdir(directory.c_str(), 0750) == 0 || errno == EEXIST) {
    return absl::OkStatus();
  }
  return Refuse(path, absl::StrCat("cannot create its directory: ", strerror(errno)));
}

// 0: somebody answered; otherwise why not.
int ConnectError(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  const int error =
      connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

absl::Status PrepareListenSocket(const std::string& path) {
  absl::Status status = CheckSocketPath("listen_socket", path);
  if (status.ok()) status = MakeDirectoryOf(path);
  if (!status.ok()) return status;
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Refuse(path, strerror(errno));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Refuse(path, "there is a file that is not a socket; it is left alone");
  }
  const int error = ConnectError(path);
  if (error != ECONNREFUSED) {
    return Refuse(path,
                  error == 0 || error == EAGAIN ? "another process serves it" : strerror(error));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Refuse(path, strerror(errno));
  return absl::OkStatus();
}

}  // namespace vuf
