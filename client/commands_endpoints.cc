#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/interrupt.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> PrintEndpoint(Context& context, const absl::StatusOr<v1::Endpoint>& endpoint) {
  if (!endpoint.ok()) return endpoint.status();
  const Look look{context.terminal().columns, context.terminal().colour};
  return context.Print(*endpoint, EndpointText(*endpoint, look));
}

// --profile as a full name; "" stays "".
absl::StatusOr<std::string> ProfileFlag(const ParsedArgs& args) {
  const std::string value = args.Get("profile");
  if (value.empty()) return value;
  absl::StatusOr<std::string> name = ResourceName("backEndProfiles", value);
  if (!name.ok()) return UsageError(absl::StrCat("--profile: ", name.status().message()));
  return name;
}

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<v1::ListEndpointsResponse> endpoints =
      context.client().ListEndpoints(context.args().Get("filter"));
  if (!endpoints.ok()) return endpoints.status();
  return PrintList(context, *endpoints, endpoints->endpoints(), EndpointsText(*endpoints));
}

absl::StatusOr<int> Get(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("endpoints");
  if (!name.ok()) return name.status();
  return PrintEndpoint(context, context.client().GetEndpoint(*name));
}

absl::StatusOr<int> Create(Context& context) {
  const ParsedArgs& args = context.args();
  const absl::StatusOr<std::map<std::string, std::string>> labels = LabelFlags(args, "label");
  if (!labels.ok()) return labels.status();
  const absl::StatusOr<std::string> profile = ProfileFlag(args);
  if (!profile.ok()) return profile.status();
  const absl::StatusOr<std::string> name = context.Name("endpoints");
  if (!name.ok()) return name.status();
  v1::CreateEndpointRequest request;
  request.set_endpoint_id(name->substr(name->find('/') + 1));
  request.set_request_id(args.Get("request-id"));
  request.mutable_endpoint()->set_socket_path(args.positional[1]);
  request.mutable_endpoint()->set_profile(*profile);
  request.mutable_endpoint()->mutable_labels()->insert(labels->begin(), labels->end());
  return PrintEndpoint(context, context.client().CreateEndpoint(request));
}

absl::StatusOr<int> Update(Context& context) {
  const ParsedArgs& args = context.args();
  const absl::StatusOr<std::map<std::string, std::string>> labels = LabelFlags(args, "label");
  if (!labels.ok()) return labels.status();
  const absl::StatusOr<std::string> profile = ProfileFlag(args);
  if (!profile.ok()) return profile.status();
  const absl::StatusOr<std::string> name = context.Name("endpoints");
  if (!name.ok()) return name.status();
  if (args.Has("label") && args.Has("clear-labels")) {
    return UsageError("--label and --clear-labels exclude each other");
  }
  v1::UpdateEndpointRequest request;
  request.mutable_endpoint()->set_name(*name);
  request.mutable_endpoint()->set_etag(args.Get("etag"));
  request.mutable_endpoint()->set_profile(*profile);
  request.mutable_endpoint()->mutable_labels()->insert(labels->begin(), labels->end());
  if (args.Has("profile")) request.mutable_update_mask()->add_paths("profile");
  if (args.Has("label") || args.Has("clear-labels")) {
    request.mutable_update_mask()->add_paths("labels");
  }
  if (request.update_mask().paths().empty()) {
    return UsageError("nothing to update: give --profile, --label or --clear-labels");
  }
  return PrintEndpoint(context, context.client().UpdateEndpoint(request));
}

absl::StatusOr<int> Delete(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("endpoints");
  if (!name.ok()) return name.status();
  v1::DeleteEndpointRequest request;
  request.set_name(*name);
  request.set_etag(context.args().Get("etag"));
  return PrintDone(context, context.client().DeleteEndpoint(request),
                   absl::StrCat("Deleted ", *name));
}

absl::StatusOr<int> Watch(Context& context) {
  WatchCanceller canceller;
  const InterruptScope interrupt([&] { canceller.Cancel(); });
  absl::Status broken;
  const absl::Status status = context.client().WatchEndpoints(
      [&](const v1::WatchEndpointsResponse& change) {
        if (context.output() == Output::kJson) {
          const absl::StatusOr<std::string> json = ToJson(change, true);
          if (json.ok()) context.out() << *json;
          broken = json.status();
        } else {
          context.out() << EndpointChangeText(change);
        }
        // Whoever reads this (head -n 5, say) may leave.
        if (!broken.ok() || !context.out().flush()) canceller.Cancel();
      },
      &canceller);
  if (!broken.ok()) return broken;
  if (!context.out()) return kExitError;
  return canceller.cancelled() ? absl::StatusOr<int>(kExitCtrlC) : status;
}

}  // namespace

std::vector<Command> EndpointCommands() {
  const FlagSpec profile = {"profile", "PROFILE", "the profile its owner declares for it",
                            "@profiles"};
  const FlagSpec label = {"label", "KEY=VALUE", "a label; may be repeated", nullptr, true};
  return {
      {"endpoints list",
       "",
       "list registered endpoints",
       "A filter is terms joined by \" AND \": state=IN_USE, profile=backEndProfiles/x, "
       "labels.KEY=VALUE, socket_path=PATH.",
       {{"filter", "FILTER", "only those that match"}},
       List},
      {"endpoints get", "ENDPOINT", "show an endpoint, freshly observed", "", {}, Get},
      {"endpoints create",
       "ENDPOINT SOCKET",
       "register a vhost-user socket under a name, without connecting to it",
       "",
       {profile, label, kRequestIdFlag},
       Create},
      {"endpoints update",
       "ENDPOINT",
       "change an endpoint's labels or its declared profile",
       "The labels given replace all labels. --profile= (empty) takes the profile away.",
       {profile, label, {"clear-labels", nullptr, "remove all labels"}, kEtagFlag},
       Update},
      {"endpoints delete",
       "ENDPOINT",
       "forget an endpoint; its back-end is not touched",
       "",
       {kEtagFlag},
       Delete},
      {"endpoints watch",
       "",
       "show the endpoints and then every change, until Ctrl-C",
       "With --output=json: one object per line.",
       {},
       Watch},
  };
}

}  // namespace vuf::cli
