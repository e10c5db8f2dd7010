// The destination is on another host: its agent was asked, and nothing of this host goes with it.
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

constexpr Subject kOtherHost = {Side::kNone, "other host"};

void CheckAnswer(const World& world, Report& report) {
  const auto& other = world.facts().other_host;
  if (!other.has_value()) return;
  report.Need(kOtherHost, "boot id of the other host", other->boot_id, true);
  for (const std::string& refusal : other->refusals) {
    report.Add(
        kOtherHost, absl::StrFormat("The agent at %s says: %s", other->agent, refusal),
        {other->boot_id.known() ? CitedFact{"other host", other->agent, false,
                                            other->boot_id.source, other->boot_id.observed_at, ""}
                                : CitedFact{"other host", other->agent}});
  }
}

void CheckStateless(const World& world, Report& report) {
  const auto& other = world.facts().other_host;
  if (!other.has_value()) return;
  for (const DeviceView& device : world.source_devices()) {
    report.Add(device.subject(),
               absl::StrFormat("The other side is on another host (%s).", other->agent));
  }
}

void CheckKeeper(const World& world, Report& report) {
  if (!world.facts().other_host.has_value()) return;
  for (const DeviceView& device : world.devices()) {
    const auto kind = report.Need(device, fact::kKind);
    if (!kind || *kind != BackEndKind::kKeeper) continue;
    report.Add(device.subject(), "The device is behind a vuf-keeper.", {kind.Cite()});
  }
}

void CheckSharedRam(const World& world, Report& report) {
  if (!world.facts().other_host.has_value() || !world.facts().request.shared_ram) return;
  report.Add({Side::kNone, "request"}, "Memory was asked to be shared with another host.");
}

void CheckStreamTls(const World& world, Report& report) {
  if (!world.facts().other_host.has_value() || !world.destination()) return;
  const auto from = report.Need(world.source(), fact::kTlsCreds);
  const auto to = report.Need(*world.destination(), fact::kTlsCreds);
  if (!from || !to || from->empty() == to->empty()) return;
  report.Add(world.destination()->subject(),
             absl::StrFormat("tls-creds is \"%s\" at the source and \"%s\" at the destination.",
                             *from, *to),
             {from.Cite(), to.Cite()});
}

void CheckStreamSecret(const World& world, Report& report) {
  if (!world.facts().other_host.has_value()) return;
  const auto from = report.Need(world.source(), fact::kTlsCreds);
  if (!from || !from->empty()) return;
  report.Add(world.source().subject(), "No tls-creds are set: the stream is not encrypted.",
             {from.Cite()});
}

}  // namespace

VUFD_RULE(OTHER_HOST_REFUSES) = {
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kSource,
    .cause =
        "The agent of the other host judges by its own evidence and its own policies, and has "
        "something against it.",
    .remedy = "What it says names the remedy's code (docs/reasons.md); mend it on that host.",
    .check = CheckAnswer,
};

VUFD_RULE(STATELESS_NEEDS_SAME_HOST) = {
    .hazards = "6",
    .against = Against::kStateless,
    .side = "destination",
    .scope = Scope::kSource,
    .cause =
        "In the stateless mode the session stays with the back-end, and the back-end stays on its "
        "host. A permit for this host is none for another.",
    .remedy = "Permit the stateful mode, or name a destination on this host.",
    .check = CheckStateless,
};

VUFD_RULE(KEEPER_NEEDS_SAME_HOST) = {
    .hazards = "6",
    .side = "either",
    .scope = Scope::kEachSide,
    .cause =
        "A keeper hands its session over under a permit that vufd arms at both ends of one host; "
        "vufd arms none on another.",
    .remedy = "Migrate on this host, or run the VM without a keeper.",
    .check = CheckKeeper,
};

VUFD_RULE(SHARED_RAM_NEEDS_SAME_HOST) = {
    .hazards = "52",
    .side = "request",
    .scope = Scope::kSource,
    .cause = "Two hosts cannot map the same memory: the guest would run on blank memory.",
    .remedy = "Let memory be copied.",
    .check = CheckSharedRam,
};

VUFD_RULE(STREAM_TLS_DIFFERS) = {
    .hazards = "58",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause = "One QEMU speaks TLS on the migration stream and the other does not.",
    .remedy =
        "Set tls-creds (migrate-set-parameters) on both sides, with a tls-creds-x509 object of the "
        "endpoint server at the destination and client at the source; or on neither.",
    .check = CheckStreamTls,
};

VUFD_RULE(STREAM_NOT_ENCRYPTED) = {
    .hazards = "71",
    .severity = Severity::kWarning,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The stream has the guest's memory, file names and handles in it. Whoever can read the "
        "network between the hosts can read them, and whoever can write there can change them.",
    .remedy =
        "Set tls-creds on both sides, or keep the stream's network (migrations.stream_address at "
        "the destination) to the hosts.",
    .check = CheckStreamSecret,
};

}  // namespace vuf
