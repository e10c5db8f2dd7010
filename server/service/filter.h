// The filter of ListEndpoints.
#ifndef VUFD_SERVER_SERVICE_FILTER_H_
#define VUFD_SERVER_SERVICE_FILTER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "vuf/v1/endpoint.pb.h"

namespace vuf {

class EndpointFilter {
 public:
  // Terms as endpoint.proto describes. INVALID_ARGUMENT names the term that is wrong.
  static absl::StatusOr<EndpointFilter> Parse(const std::string& text);
  bool Matches(const v1::Endpoint& endpoint) const;

 private:
  absl::Status AddTerm(const std::string& term);

  std::vector<v1::Endpoint::State> states_;
  std::vector<std::string> profiles_;
  std::vector<std::string> socket_paths_;
  std::vector<std::pair<std::string, std::string>> labels_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_FILTER_H_
