// The part of record_fields.h that is about policies.
#ifndef VUFD_SERVER_CONVERT_RECORD_POLICY_FIELDS_H_
#define VUFD_SERVER_CONVERT_RECORD_POLICY_FIELDS_H_

#include <concepts>
#include <type_traits>

#include "server/model/policy.h"
#include "vuf/record/v1/facts.pb.h"

namespace vuf::record {

// `Struct`, constant or not.
template <typename T, typename Struct>
concept Is = std::same_as<std::remove_const_t<T>, Struct>;

// All messages of settings have the same fields.
template <typename T>
void VisitSetting(auto& archive, Is<Setting<T>> auto& setting) {
  using R = v1::BoolSettingRecord;
  archive(R::kValueFieldNumber, setting.value);
  archive(R::kDecidedByFieldNumber, setting.decided_by);
}
template <typename T>
void Visit(auto& archive, Setting<T>& setting) {
  VisitSetting<T>(archive, setting);
}
template <typename T>
void Visit(auto& archive, const Setting<T>& setting) {
  VisitSetting<T>(archive, setting);
}

void Visit(auto& archive, Is<ModesAllowed> auto& modes) {
  using R = v1::ModesAllowedRecord;
  archive(R::kStatelessFieldNumber, modes.stateless);
  archive(R::kStatefulFieldNumber, modes.stateful);
}

void Visit(auto& archive, Is<DevicePolicy> auto& device) {
  using R = v1::DevicePolicyRecord;
  archive(R::kDeviceFieldNumber, device.device);
  archive(R::kModesFieldNumber, device.modes);
}

void Visit(auto& archive, Is<PolicyHold> auto& hold) {
  using R = v1::PolicyHoldRecord;
  archive(R::kPolicyFieldNumber, hold.policy);
  archive(R::kHolderFieldNumber, hold.holder);
  archive(R::kReasonFieldNumber, hold.reason);
  archive(R::kUntilFieldNumber, hold.until);
}

void Visit(auto& archive, Is<WindowState> auto& window) {
  using R = v1::WindowStateRecord;
  archive(R::kOpenFieldNumber, window.open);
  archive(R::kOpensFieldNumber, window.opens);
}

void Visit(auto& archive, Is<WarningRuling> auto& ruling) {
  using R = v1::WarningRulingRecord;
  archive(R::kCodeFieldNumber, ruling.code);
  archive(R::kRefuseFieldNumber, ruling.refuse);
  archive(R::kDecidedByFieldNumber, ruling.decided_by);
}

void Visit(auto& archive, Is<ConcurrencyLimit> auto& limit) {
  using R = v1::ConcurrencyLimitRecord;
  archive(R::kPolicyFieldNumber, limit.policy);
  archive(R::kLimitFieldNumber, limit.limit);
  archive(R::kRunningFieldNumber, limit.running);
}

void Visit(auto& archive, Is<ConvergenceStep> auto& step) {
  using R = v1::ConvergenceStepRecord;
  archive(R::kAfterFieldNumber, step.after);
  archive(R::kDowntimeLimitFieldNumber, step.downtime_limit);
  archive(R::kThrottlePercentFieldNumber, step.throttle_percent);
}

void Visit(auto& archive, Is<Accepted> auto& accepted) {
  using R = v1::AcceptedRecord;
  archive(R::kNameFieldNumber, accepted.name);
  archive(R::kCodeFieldNumber, accepted.code);
  archive(R::kDeviceFieldNumber, accepted.device);
  archive(R::kAuthorFieldNumber, accepted.author);
  archive(R::kReasonFieldNumber, accepted.reason);
  archive(R::kUntilFieldNumber, accepted.until);
}

void Visit(auto& archive, Is<EffectivePolicy> auto& policy) {
  using R = v1::EffectivePolicyRecord;
  archive(R::kMatchingFieldNumber, policy.matching);
  archive(R::kDevicesFieldNumber, policy.devices);
  archive(R::kSameHostFieldNumber, policy.same_host);
  archive(R::kOtherHostFieldNumber, policy.other_host);
  archive(R::kWindowFieldNumber, policy.window);
  archive(R::kHoldsFieldNumber, policy.holds);
  archive(R::kWarningsFieldNumber, policy.warnings);
  archive(R::kLimitsFieldNumber, policy.limits);
  archive(R::kAcceptedFieldNumber, policy.accepted);
  archive(R::kMaxBandwidthFieldNumber, policy.max_bandwidth);
  archive(R::kMaxDowntimeFieldNumber, policy.max_downtime);
  archive(R::kMaxTimeoutFieldNumber, policy.max_timeout);
  archive(R::kConvergenceFieldNumber, policy.convergence);
}

}  // namespace vuf::record

#endif  // VUFD_SERVER_CONVERT_RECORD_POLICY_FIELDS_H_
