// A very small HTTP/1.1 server for a few pages that are only read: on loopback, or over TLS.
//
// Not prometheus::Exposer: that one cannot answer 503, and offers no bound on clients or time.
#ifndef VUFD_SERVER_HTTP_HTTP_SERVER_H_
#define VUFD_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/http_stream.h"

namespace vuf {

struct HttpRequest {
  // The Host header is a loopback address or "localhost", or there is none. Another name may have
  // been made to point here, so that somebody's page in a browser of this host can read the answer.
  bool names_loopback = true;
};

struct HttpAnswer {
  int code = 200;
  std::string body;
  // What Prometheus asks for, and good for any other text.
  std::string content_type = "text/plain; version=0.0.4; charset=utf-8";
};

// One thread serves at most kMaxClients at a time. Every connection ends after one answer or after
// the timeout, whatever the client does.
class HttpServer {
 public:
  static constexpr size_t kMaxClients = 8;
  static constexpr size_t kMaxRequestBytes = 8192;
  // By path, e.g. "/metrics". Handlers run on the server's thread and must not block.
  using Handlers = std::map<std::string, std::function<HttpAnswer(const HttpRequest&)>>;

  // "HOST:PORT" with a numeric host, "[::1]" for instance; port 0 chooses one.
  struct Address {
    // As the configuration calls it.
    std::string field;
    std::string text;
    // Any other host is an error. "localhost" is "127.0.0.1".
    bool only_loopback = true;
  };
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const Address& address, Handlers handlers, HttpStreamMaker make_stream = PlainHttpStream,
      absl::Duration client_timeout = absl::Seconds(5));
  // Ends at once; open connections are closed.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

 private:
  struct Client;

  HttpServer(int listen_fd, int stop_fd, Handlers handlers, HttpStreamMaker make_stream,
             absl::Duration client_timeout);
  void Serve();
  void Accept();
  // False when the client is done with, for better or worse.
  bool Advance(Client& client) const;
  void Understand(Client& client) const;
  std::string Answer(const std::string& request) const;

  const int listen_fd_;
  const int stop_fd_;
  const int port_;
  const Handlers handlers_;
  const HttpStreamMaker make_stream_;
  const absl::Duration client_timeout_;
  // Of Serve's thread alone.
  // By descriptor.
  std::map<int, Client> clients_;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_HTTP_HTTP_SERVER_H_
