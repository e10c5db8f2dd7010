#include "server/status/status_page.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "server/base/migration_state.h"
#include "server/convert/convert.h"
#include "server/status/html.h"

namespace vuf {
namespace {

constexpr size_t kFindings = 5;

std::string Short(absl::string_view name) {
  const size_t slash = name.rfind('/');
  return std::string(slash == absl::string_view::npos ? name : name.substr(slash + 1));
}

std::string Ago(absl::Time then, absl::Time now) {
  return absl::StrCat(absl::FormatDuration(absl::Trunc(now - then, absl::Seconds(1))), " ago");
}

Html Coloured(absl::string_view style, absl::string_view text) {
  return Html::Element("span", style, text);
}

Html Health(const std::string& health) {
  return Coloured(health == "READY" ? "good" : "bad", health);
}

std::string Codes(const google::protobuf::RepeatedPtrField<v1::Finding>& findings) {
  std::vector<std::string> codes;
  for (const v1::Finding& finding : findings) {
    if (codes.size() < kFindings) codes.push_back(finding.code());
  }
  const std::string all = absl::StrJoin(codes, ", ");
  const size_t left_out = static_cast<size_t>(findings.size()) - codes.size();
  return left_out == 0 ? all : absl::StrCat(all, " and ", left_out, " more");
}

// Everything but an allowance is a refusal, whatever a later build may have added.
Html Answer(const v1::Verdict& verdict) {
  if (verdict.decision() != v1::DECISION_ALLOW) {
    return Html::Join({Coloured("bad", "refused"), " ", Codes(verdict.blockers())});
  }
  const std::string mode(
      absl::StripPrefix(v1::MigrationMode_Name(verdict.mode()), "MIGRATION_MODE_"));
  const Html allowed = Coloured("good", absl::StrCat("allowed, ", mode));
  if (verdict.warnings().empty()) return allowed;
  return Html::Join({allowed, " ", Coloured("doubtful", Codes(verdict.warnings()))});
}

Html State(v1::Migration::State state) {
  const std::string name(absl::StripPrefix(v1::Migration::State_Name(state), "STATE_"));
  if (state == v1::Migration::STATE_SUCCEEDED) return Coloured("good", name);
  return IsFinal(state) && state != v1::Migration::STATE_CANCELLED ? Coloured("bad", name)
                                                                   : Html(name);
}

std::string Target(const v1::Destination& destination) {
  switch (destination.target_case()) {
    case v1::Destination::kSameHost:
      return destination.same_host().qmp_socket();
    case v1::Destination::kSequential:
      return absl::StrCat(destination.sequential().qmp_socket(), ", after the source has left");
    case v1::Destination::kOtherHost:
      return destination.other_host().agent();
    default:
      return "";
  }
}

std::string Copied(const v1::Progress& progress) {
  constexpr uint64_t kMiB = 1 << 20;
  if (progress.ram_total_bytes() == 0) return "";
  return absl::StrCat(progress.ram_transferred_bytes() / kMiB, " MiB sent, ",
                      progress.ram_remaining_bytes() / kMiB, " of ",
                      progress.ram_total_bytes() / kMiB, " MiB left");
}

HtmlTable Migrations(const StatusFacts& facts) {
  HtmlTable table{"Migrations that have not ended, and the last ones that have",
                  facts.migrations.size(),
                  "vufctl migrations list",
                  {"Migration", "VM", "To", "State", "Memory", "Began", "Message"},
                  {}};
  for (const v1::Migration& migration : facts.migrations) {
    if (table.rows.size() == kStatusRows) break;
    table.rows.push_back({Short(migration.name()), Short(migration.vm()),
                          Target(migration.destination()), State(migration.state()),
                          Copied(migration.progress()),
                          Ago(FromProto(migration.create_time()), facts.now), migration.message()});
  }
  return table;
}

using LastVerdicts = std::map<absl::string_view, const v1::DecisionRecord*>;
LastVerdicts LastByVm(const StatusFacts& facts) {
  LastVerdicts last;
  for (const DecisionLog::Shared& record : facts.decisions) {
    if (record->has_verdict()) last.emplace(record->vm(), record.get());
  }
  return last;
}

HtmlTable Vms(const StatusFacts& facts) {
  HtmlTable table{"VMs",
                  facts.registry->vms.size(),
                  "vufctl vms list",
                  {"VM", "Guest", "QEMU", "Monitor", "Last verdict", "Given"},
                  {}};
  const LastVerdicts last = LastByVm(facts);
  for (const auto& [name, vm] : facts.registry->vms) {
    if (table.rows.size() == kStatusRows) break;
    const auto found = last.find(name);
    const bool judged = found != last.end();
    table.rows.push_back(
        {Short(name), vm.guest_name(), vm.qemu_version(), vm.qmp_socket(),
         judged ? Answer(found->second->verdict()) : Html("never asked"),
         judged ? Ago(FromProto(found->second->create_time()), facts.now) : std::string()});
  }
  return table;
}

Html State(const v1::Endpoint& endpoint) {
  switch (endpoint.state()) {
    case v1::Endpoint::STATE_IN_USE:
      return Coloured("good", "in use");
    case v1::Endpoint::STATE_LISTENING:
      return "listening";
    case v1::Endpoint::STATE_ABSENT:
      return Coloured("bad", "absent");
    default:
      return Html::Join({Coloured("doubtful", "unknown"), " ", endpoint.observe_error()});
  }
}

HtmlTable Endpoints(const StatusFacts& facts) {
  HtmlTable table{"Endpoints",
                  facts.registry->endpoints.size(),
                  "vufctl endpoints list",
                  {"Endpoint", "Socket", "State", "Back-end", "Process", "Generation"},
                  {}};
  for (const auto& [name, endpoint] : facts.registry->endpoints) {
    if (table.rows.size() == kStatusRows) break;
    const v1::BackEnd& back_end = endpoint.back_end();
    table.rows.push_back({Short(name), endpoint.socket_path(), State(endpoint),
                          absl::StrCat(back_end.kind(), " ", back_end.version()),
                          back_end.pid() == 0 ? std::string() : absl::StrCat(back_end.pid()),
                          absl::StrCat(endpoint.generation())});
  }
  return table;
}

Html Held(const v1::MigrationPolicy& policy, absl::Time now) {
  const v1::Hold& hold = policy.hold();
  if (!policy.has_hold() || (hold.has_expire_time() && FromProto(hold.expire_time()) <= now)) {
    return "";
  }
  return Coloured("doubtful", absl::StrCat(hold.holder(), ": ", hold.reason()));
}

const char* From(const v1::MigrationPolicy& policy) {
  if (policy.shipped()) return "vufd";
  return policy.from_file() ? "the file" : "the API";
}

HtmlTable Policies(const StatusFacts& facts) {
  HtmlTable table{"Policies in force",
                  facts.registry->policies.size(),
                  "vufctl policies list",
                  {"Policy", "Revision", "Priority", "From", "Counts", "Hold", "What it is for"},
                  {}};
  for (const auto& [name, policy] : facts.registry->policies) {
    if (table.rows.size() == kStatusRows) break;
    table.rows.push_back({Short(name), absl::StrCat(policy.revision()),
                          absl::StrCat(policy.priority()), From(policy),
                          policy.enforcement() == v1::ENFORCEMENT_SHADOW ? "in shadow" : "yes",
                          Held(policy, facts.now), policy.description()});
  }
  return table;
}

Html Summary(const StatusFacts& facts) {
  return Html::Element(
      "p", "",
      Html::Join(
          {Health(facts.health),
           absl::StrCat(", vufd ", facts.version, " on ", facts.host, ", started ",
                        Ago(facts.start, facts.now), ". As of ",
                        absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", facts.now, absl::UTCTimeZone()),
                        ".")}));
}

}  // namespace

std::string StatusPage(const StatusFacts& facts) {
  const Html body = Html::Join({Summary(facts), Render(Migrations(facts)), Render(Vms(facts)),
                                Render(Endpoints(facts)), Render(Policies(facts))});
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">",
      Html::Element("title", "", absl::StrCat("vufd on ", facts.host, ": ", facts.health)).markup(),
      "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>"
      "<link rel=\"stylesheet\" href=\"/status.css\"><script src=\"/status.js\" defer></script>"
      "</head><body><h1>vufd</h1><p id=\"note\"></p><main>",
      body.markup(), "</main></body></html>\n");
}

}  // namespace vuf
