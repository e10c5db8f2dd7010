// The API's messages as text for people.
#ifndef VUFD_CLIENT_RENDER_H_
#define VUFD_CLIENT_RENDER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "client/text.h"
#include "vuf/v1/back_end_profile.pb.h"
#include "vuf/v1/decision.pb.h"
#include "vuf/v1/endpoint.pb.h"
#include "vuf/v1/migration.pb.h"
#include "vuf/v1/peer.pb.h"
#include "vuf/v1/planning.pb.h"
#include "vuf/v1/policy.pb.h"
#include "vuf/v1/vm.pb.h"

namespace vuf::cli {

struct Look {
  int columns = 80;
  bool colour = false;
};

// "vms/web" -> "web".
std::string ShortName(absl::string_view name);

// Lists end with a line that says so when they are empty.
std::string VmsText(const v1::ListVmsResponse& vms);
std::string VmText(const v1::Vm& vm, const Look& look);
std::string DiscoveredText(const v1::DiscoverVmsResponse& discovered);

std::string EndpointsText(const v1::ListEndpointsResponse& endpoints);
std::string EndpointText(const v1::Endpoint& endpoint, const Look& look);
std::string EndpointChangeText(const v1::WatchEndpointsResponse& change);

std::string ProfilesText(const v1::ListBackEndProfilesResponse& profiles);
std::string ProfileText(const v1::BackEndProfile& profile);

std::string PlanText(const v1::PlanEvacuationResponse& plan);
// One line of a batch: VM, destination, verdict, codes of the blockers.
std::string BatchLine(const v1::BatchEvaluateResponse& one, const std::string& destination);

std::string PoliciesText(const v1::ListMigrationPoliciesResponse& policies);
std::string PolicyRevisionsText(const v1::ListMigrationPolicyRevisionsResponse& revisions);
std::string ExplainPolicyText(const v1::ExplainPolicyResponse& explained);
std::string AcknowledgementsText(const v1::ListAcknowledgementsResponse& acknowledgements);

std::string MigrationsText(const v1::ListMigrationsResponse& migrations);
std::string MigrationText(const v1::Migration& migration, const Look& look);
std::string StateText(v1::Migration::State state);

// The verdict line, the devices, then every blocker and warning in full.
std::string VerdictText(absl::string_view vm, const v1::Verdict& verdict, const Look& look);
// "stateful", "stateless", "none" or "unknown".
std::string ModeText(v1::MigrationMode mode);

std::string ReservationsText(const v1::ListReservationsResponse& reservations);
std::string DecisionsText(const v1::ListDecisionsResponse& decisions);
std::string DecisionText(const v1::DecisionRecord& decision, const Look& look);
// AGREES or DIFFERS, then why the record may not be trusted, then every difference.
std::string ReplayText(const v1::DecisionRecord& decision, const v1::DecisionReplay& replay,
                       const Look& look);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_RENDER_H_
