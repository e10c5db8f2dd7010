#include "server/agent_security.h"

#include <string>
#include <utility>

#include "server/base/log.h"

namespace vuf {
namespace {

constexpr absl::Duration kReloadPeriod = absl::Seconds(1);

LiveFiles::OnFailure OnRefused(const char* what, Metrics* metrics) {
  return [what, metrics](const absl::Status& why) {
    metrics->ReloadRefused(what);
    Log(LogLevel::kError, "changed files are not used; the last good ones stay in use",
        {{"what", what}, {"error", std::string(why.message())}});
  };
}

TlsStore::Events TlsEvents(Metrics* metrics) {
  TlsStore::Events events;
  events.taken = [metrics](const TlsMaterial& material) {
    metrics->SetCertificateEnd(material.not_after);
    Log(LogLevel::kInfo, "certificate in use",
        {{"valid_until", absl::FormatTime(material.not_after, absl::UTCTimeZone())}});
  };
  events.refused = OnRefused("tls", metrics);
  return events;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentSecurity>> AgentSecurity::Open(const Config& config,
                                                                   const Clock* clock,
                                                                   Metrics* metrics) {
  std::unique_ptr<AgentSecurity> security(new AgentSecurity());
  auto roles = RoleStore::Open(config.roles_file, OnRefused("roles", metrics));
  if (!roles.ok()) return roles.status();
  security->roles_ = *std::move(roles);
  if (!config.tls.listen_address.empty()) {
    auto tls = TlsStore::Open(
        {config.tls.certificate_file, config.tls.private_key_file, config.tls.client_ca_file},
        clock, TlsEvents(metrics));
    if (!tls.ok()) return tls.status();
    security->tls_ = *std::move(tls);
  }
  security->limiter_ =
      std::make_unique<Limiter>(ClientLimits{config.limits.requests_per_second, config.limits.burst,
                                             config.limits.requests_in_flight},
                                clock);
  security->gate_ =
      std::make_unique<Gate>(security->roles_.get(), security->limiter_.get(),
                             [metrics](const char* reason) { metrics->CallRefused(reason); });
  security->peers_ = std::make_unique<PeerChannels>(security->tls_.get());
  security->poller_ = std::make_unique<Poller>(kReloadPeriod, [at = security.get()] {
    at->roles_->Poll();
    if (at->tls_ != nullptr) at->tls_->Poll();
  });
  return security;
}

}  // namespace vuf
