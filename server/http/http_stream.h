// How the HTTP server reads from a client and writes to it. Nothing here waits.
#ifndef VUFD_SERVER_HTTP_HTTP_STREAM_H_
#define VUFD_SERVER_HTTP_HTTP_STREAM_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

namespace vuf {

// One connection. Closes it in the end.
class HttpStream {
 public:
  virtual ~HttpStream() = default;

  // How many bytes were read or written; 0: none for now; -1: the connection is over.
  virtual ssize_t Read(char* buffer, size_t size) = 0;
  virtual ssize_t Write(const char* data, size_t size) = 0;
  // What poll has to wait for before it is worth trying again.
  virtual short events() const = 0;
  // Why this client is not answered, once something was read from it; empty: it is.
  virtual std::string refusal() const { return ""; }
};

// Takes the descriptor of a connection; null: it was closed.
using HttpStreamMaker = std::function<std::unique_ptr<HttpStream>(int fd)>;

// Whoever can reach it.
std::unique_ptr<HttpStream> PlainHttpStream(int fd);

}  // namespace vuf

#endif  // VUFD_SERVER_HTTP_HTTP_STREAM_H_
