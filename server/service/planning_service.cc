#include "server/service/planning_service.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"
#include "server/decision/shadow.h"
#include "server/planning/evacuation.h"
#include "server/service/batch.h"
#include "server/service/batch_feed.h"
#include "server/service/find_vm.h"
#include "server/service/migration_request.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

// A batch has no deadline of its own in a stream.
constexpr absl::Duration kLongestBatch = absl::Minutes(10);

// The part of a batch's request that EvaluateMigration has too, so that both are checked alike.
template <typename T>
v1::EvaluateMigrationRequest AsEvaluation(const T& request) {
  v1::EvaluateMigrationRequest out;
  *out.mutable_allowed_modes() = request.allowed_modes();
  out.set_ram_transfer(request.ram_transfer());
  return out;
}

absl::Status CheckBatch(const v1::BatchEvaluateRequest& request) {
  if (request.destinations_size() > kMaxBatchDestinations) {
    return InvalidField("destinations", absl::StrCat(request.destinations_size(), " destinations"),
                        absl::StrCat("at most ", kMaxBatchDestinations));
  }
  absl::Status status = CheckHow(AsEvaluation(request));
  for (int i = 0; status.ok() && i < request.destinations_size(); ++i) {
    status = CheckDestination(absl::StrCat("destinations[", i, "]"), request.destinations(i));
  }
  return status;
}

// Everything that one batch needs until its last verdict.
class Batch {
 public:
  Batch(const ServiceDeps& deps, v1::BatchEvaluateRequest request, std::vector<v1::Vm> vms,
        std::shared_ptr<BatchFeed> feed)
      : deps_(deps),
        request_(std::move(request)),
        vms_(std::move(vms)),
        feed_(std::move(feed)),
        destinations_(deps.gatherer, deps.clock) {
    if (request_.destinations().empty()) request_.add_destinations();
  }

  void Run(absl::Time deadline) {
    InParallel(vms_.size(), [&](size_t i) { return JudgeVm(vms_[i], deadline); });
    feed_->End(deps_.clock->Now() < deadline
                   ? absl::OkStatus()
                   : absl::DeadlineExceededError("the batch took too long; name fewer VMs"));
  }

 private:
  bool JudgeVm(const v1::Vm& vm, absl::Time deadline) {
    if (feed_->closed() || deps_.clock->Now() >= deadline) return false;
    v1::EvaluateMigrationRequest one = AsEvaluation(request_);
    BatchSource source(GatherSource(deps_, vm, ModelRequest(one), deadline));
    std::vector<grpc::ByteBuffer> messages;
    for (int i = 0; i < request_.destinations_size(); ++i) {
      const v1::Destination& destination = request_.destinations(i);
      one.clear_destination();
      if (destination.target_case() != v1::Destination::TARGET_NOT_SET) {
        *one.mutable_destination() = destination;
      }
      const PreparedSource& here = source.For(ModelRequest(one), deps_.clock->Now());
      std::shared_ptr<const PreparedDestination> there;
      if (destination.has_same_host() && here.facts().running_migration.empty()) {
        there = destinations_.Get(MonitorOf(destination), here, deadline);
      }
      v1::BatchEvaluateResponse response;
      response.set_vm(vm.name());
      response.set_destination(static_cast<uint32_t>(i));
      *response.mutable_verdict() = ToProto(JudgeWithShadow(here, there.get(), deps_.clock->Now()));
      deps_.metrics->Decided(response.verdict());
      messages.push_back(*SerializeMessage(response));
    }
    return feed_->Push(std::move(messages), deadline);
  }

  // A copy: what it points to outlives the pool that runs this, the service does not.
  const ServiceDeps deps_;
  v1::BatchEvaluateRequest request_;
  const std::vector<v1::Vm> vms_;
  const std::shared_ptr<BatchFeed> feed_;
  DestinationCache destinations_;
};

absl::Status StartBatch(const ServiceDeps& deps, const grpc::ByteBuffer& in,
                        const std::shared_ptr<BatchFeed>& feed) {
  v1::BatchEvaluateRequest request;
  absl::Status status = ParseMessage(in, &request);
  if (status.ok()) status = CheckBatch(request);
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<v1::Vm>> vms = VmsOf(*deps.registry, request.vms());
  if (!vms.ok()) return vms.status();
  if (vms->size() * request.destinations_size() > kMaxBatchPairs) {
    return InvalidField(
        "destinations",
        absl::StrCat(vms->size(), " VMs and ", request.destinations_size(), " destinations"),
        absl::StrCat("at most ", kMaxBatchPairs, " pairs"));
  }
  auto batch = std::make_shared<Batch>(deps, std::move(request), *std::move(vms), feed);
  const absl::Time deadline = deps.clock->Now() + kLongestBatch;
  return deps.monitor_pool->Submit({deadline, [feed] { return feed->closed(); },
                                    [batch, feed, deadline](const absl::Status& begin) {
                                      if (!begin.ok()) return feed->End(begin);
                                      batch->Run(deadline);
                                    }});
}

void AddFindings(const std::vector<Finding>& findings,
                 google::protobuf::RepeatedPtrField<std::string>& out) {
  for (const Finding& finding : findings) {
    *out.Add() = ValidUtf8(absl::StrCat(finding.code, " (", finding.subject, ")"));
  }
}

void AddSteps(const std::vector<EvacuationStep>& steps,
              google::protobuf::RepeatedPtrField<v1::EvacuationStep>& out) {
  for (const EvacuationStep& step : steps) {
    v1::EvacuationStep& added = *out.Add();
    added.set_vm(step.vm);
    added.set_mode(ToProto(step.mode));
    added.set_memory_bytes(step.memory_bytes);
    AddFindings(step.blockers, *added.mutable_blockers());
    AddFindings(step.warnings, *added.mutable_warnings());
  }
}

v1::PlanEvacuationResponse PlanMessage(const EvacuationPlan& plan) {
  v1::PlanEvacuationResponse out;
  AddSteps(plan.ready, *out.mutable_ready());
  AddSteps(plan.need_destination, *out.mutable_need_destination());
  AddSteps(plan.blocked, *out.mutable_blocked());
  for (const EvacuationFix& fix : plan.fixes) {
    v1::EvacuationFix& added = *out.add_fixes();
    added.set_code(fix.code);
    added.set_remedy(fix.remedy);
    for (const std::string& vm : fix.vms) added.add_vms(vm);
    for (const std::string& vm : fix.frees) added.add_frees(vm);
  }
  return out;
}

using Targets = std::map<std::string, v1::Destination>;

absl::StatusOr<Targets> TargetsOf(const v1::PlanEvacuationRequest& request,
                                  const Registry::Snapshot& registry) {
  Targets targets;
  for (int i = 0; i < request.targets_size(); ++i) {
    const v1::EvacuationTarget& target = request.targets(i);
    const std::string field = absl::StrCat("targets[", i, "]");
    const absl::StatusOr<const v1::Vm*> vm = FindVm(registry, field + ".vm", target.vm());
    if (!vm.ok()) return vm.status();
    absl::Status status = CheckDestination(field + ".destination", target.destination());
    if (status.ok()) {
      status = CheckIsElsewhere(field + ".destination", target.destination(), **vm);
    }
    if (!status.ok()) return status;
    if (!targets.emplace(target.vm(), target.destination()).second) {
      return InvalidField(field + ".vm", target.vm(), "each VM once");
    }
  }
  return targets;
}

EvacuationStep JudgeOne(const ServiceDeps& deps, const v1::EvaluateMigrationRequest& how,
                        const v1::Vm& vm, const Targets& targets, absl::Time deadline) {
  v1::EvaluateMigrationRequest one = how;
  const auto target = targets.find(vm.name());
  if (target != targets.end()) *one.mutable_destination() = target->second;
  const Request request = ModelRequest(one);
  Facts facts = GatherSource(deps, vm, request, deadline);
  std::optional<VmFacts> there;
  if (one.destination().has_same_host() && facts.running_migration.empty()) {
    there = deps.gatherer->ObserveVm(MonitorOf(one.destination()), deadline);
  }
  SetDestination(request, there.has_value() ? &*there : nullptr, deps.clock->Now(), facts);
  return JudgeForEvacuation(vm.name(), facts);
}

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* PlanningServiceShell::BatchEvaluate(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in) {
  return deps_.watches->Watch(*context, "PlanningService/BatchEvaluate", [this, in] {
    const auto feed = std::make_shared<BatchFeed>([hub = deps_.watches] { hub->Notify(); });
    const absl::Status started = StartBatch(deps_, *in, feed);
    if (!started.ok()) feed->End(started);
    return BatchFeed::Reader(feed);
  });
}

absl::StatusOr<v1::PlanEvacuationResponse> PlanningServiceShell::Plan(
    const v1::PlanEvacuationRequest& request, absl::Time deadline) {
  const v1::EvaluateMigrationRequest how = AsEvaluation(request);
  const absl::Status checked = CheckHow(how);
  if (!checked.ok()) return checked;
  const absl::StatusOr<Targets> targets = TargetsOf(request, *deps_.registry->snapshot());
  if (!targets.ok()) return targets.status();
  const absl::StatusOr<std::vector<v1::Vm>> vms = VmsOf(*deps_.registry, {});
  if (!vms.ok()) return vms.status();
  std::vector<EvacuationStep> steps(vms->size());
  InParallel(vms->size(), [&](size_t i) {
    steps[i] = JudgeOne(deps_, how, (*vms)[i], *targets, deadline);
    return deps_.clock->Now() < deadline;
  });
  if (deps_.clock->Now() >= deadline) {
    return absl::DeadlineExceededError("not all VMs could be looked at in time");
  }
  return PlanMessage(vuf::PlanEvacuation(std::move(steps)));
}

grpc::ServerUnaryReactor* PlanningServiceShell::PlanEvacuation(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* in,
                                                               grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::PlanEvacuationRequest, v1::PlanEvacuationResponse>(
      context, "PlanningService/PlanEvacuation", deps_.monitor_pool, in, out,
      [this](const auto& request, absl::Time deadline) { return Plan(request, deadline); });
}

}  // namespace vuf
