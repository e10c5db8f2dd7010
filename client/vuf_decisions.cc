#include <algorithm>
#include <utility>

#include "client/rpc.h"
#include "client/vuf_client.h"

namespace vuf {

absl::StatusOr<v1::DecisionRecord> VufClient::GetDecision(const std::string& name) {
  v1::GetDecisionRequest request;
  request.set_name(name);
  return Call(*decisions_, &v1::DecisionService::StubInterface::GetDecision, request, Repeat::kSafe,
              options_);
}

absl::StatusOr<v1::ListDecisionsResponse> VufClient::ListDecisions(const std::string& vm,
                                                                   int limit) {
  constexpr int kPageSize = 100;
  v1::ListDecisionsResponse all;
  v1::ListDecisionsRequest request;
  request.set_vm(vm);
  do {
    request.set_page_size(std::min(limit - all.decisions_size(), kPageSize));
    request.set_page_token(all.next_page_token());
    absl::StatusOr<v1::ListDecisionsResponse> page =
        Call(*decisions_, &v1::DecisionService::StubInterface::ListDecisions, request,
             Repeat::kSafe, options_);
    // A page that brings nothing on would never end the list.
    if (!page.ok() || page->decisions().empty()) return page.ok() ? all : std::move(page);
    all.clear_next_page_token();
    all.MergeFrom(*page);
  } while (!all.next_page_token().empty() && all.decisions_size() < limit);
  return all;
}

}  // namespace vuf
