#include "server/service/decision_service.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/service/paging.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

// Names sort by age, so their complements sort newest first.
std::string NewestFirstKey(std::string name) {
  for (char& c : name) c = static_cast<char>('~' - c + ' ');
  return name;
}

}  // namespace

absl::StatusOr<v1::DecisionRecord> DecisionServiceShell::Get(
    const v1::GetDecisionRequest& request) {
  const absl::Status checked = CheckName("name", "decisions", request.name());
  if (!checked.ok()) return checked;
  return deps_.decisions->Get(request.name());
}

absl::StatusOr<v1::ListDecisionsResponse> DecisionServiceShell::List(
    const v1::ListDecisionsRequest& request) {
  const absl::Status checked =
      request.vm().empty() ? absl::OkStatus() : CheckName("vm", "vms", request.vm());
  if (!checked.ok()) return checked;
  absl::StatusOr<Page> page = Page::Begin(absl::StrCat("ListDecisions ", request.vm()),
                                          request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListDecisionsResponse response;
  for (const DecisionLog::Shared& record : deps_.decisions->List(request.vm())) {
    if (page->Takes(NewestFirstKey(record->name()))) *response.add_decisions() = *record;
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

grpc::ServerUnaryReactor* DecisionServiceShell::GetDecision(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* in,
                                                            grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::GetDecisionRequest, v1::DecisionRecord>(
      context, "DecisionService/GetDecision", nullptr, in, out,
      [this](const auto& request, absl::Time) { return Get(request); });
}

grpc::ServerUnaryReactor* DecisionServiceShell::ListDecisions(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* in,
                                                              grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::ListDecisionsRequest, v1::ListDecisionsResponse>(
      context, "DecisionService/ListDecisions", nullptr, in, out,
      [this](const auto& request, absl::Time) { return List(request); });
}

}  // namespace vuf
