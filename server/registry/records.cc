#include "server/registry/records.h"

#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/message_differencer.h"

namespace vuf {
namespace {

using google::protobuf::util::MessageDifferencer;

// What QEMU reports when it was started without -uuid.
constexpr char kNoUuid[] = "00000000-0000-0000-0000-000000000000";

// The time makes a record that was deleted and made again different from its predecessor.
std::string FirstEtag(absl::Time now) {
  return absl::StrCat(absl::Hex(absl::ToUnixNanos(now)), "-1");
}

std::string NextEtag(const std::string& etag) {
  const size_t dash = etag.rfind('-');
  uint64_t number = 0;
  if (dash == std::string::npos || !absl::SimpleAtoi(etag.substr(dash + 1), &number)) {
    return absl::StrCat(etag, "-1");
  }
  return absl::StrCat(etag.substr(0, dash), "-", number + 1);
}

void SetTime(absl::Time time, google::protobuf::Timestamp* proto) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  proto->set_seconds(seconds);
  proto->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

absl::Status Taken(const char* field, const std::string& value, const std::string& by) {
  return absl::AlreadyExistsError(
      absl::StrCat(field, ": \"", value, "\" is already registered as ", by));
}

absl::Status OnlyTheFile(const v1::MigrationPolicy& policy) {
  return absl::FailedPreconditionError(absl::StrCat(
      policy.name(), " comes from the agent's policy_file: change it there, on every host"));
}

void DropObserved(v1::Vm& vm) {
  vm.clear_run_state();
  vm.clear_devices();
  vm.clear_observe_error();
}

}  // namespace

absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Vm& record,
                         const v1::Vm* before) {
  const bool has_uuid = !record.uuid().empty() && record.uuid() != kNoUuid;
  if (before != nullptr && before->uuid() == record.uuid() &&
      before->qmp_socket() == record.qmp_socket()) {
    return absl::OkStatus();
  }
  for (const auto& [name, other] : all.vms) {
    if (name == record.name()) continue;
    if (has_uuid && other.uuid() == record.uuid()) return Taken("vm.uuid", record.uuid(), name);
    if (other.qmp_socket() == record.qmp_socket()) {
      return Taken("vm.qmp_socket", record.qmp_socket(), name);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Endpoint& record,
                         const v1::Endpoint* before) {
  // Only a newly declared profile must exist: an observation of an endpoint whose profile went
  // away with an upgrade must not fail.
  if ((before == nullptr || before->profile() != record.profile()) && !record.profile().empty() &&
      all.profiles.count(record.profile()) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("endpoint.profile: \"", record.profile(),
                                                   "\" does not exist; create it first or name "
                                                   "one that ListBackEndProfiles returns"));
  }
  if (before != nullptr) return absl::OkStatus();  // the socket is immutable
  for (const auto& [name, other] : all.endpoints) {
    if (other.socket_path() == record.socket_path()) {
      return Taken("endpoint.socket_path", record.socket_path(), name);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRecord(const Registry::Snapshot&, const v1::BackEndProfile&,
                         const v1::BackEndProfile*) {
  return absl::OkStatus();
}

void FillNew(absl::Time now, v1::Vm& record) {
  DropObserved(record);
  SetTime(now, record.mutable_create_time());
  record.set_etag(FirstEtag(now));
}

void FillNew(absl::Time now, v1::Endpoint& record) {
  SetTime(now, record.mutable_create_time());
  record.set_generation(1);
  record.set_etag(FirstEtag(now));
}

void FillNew(absl::Time now, v1::BackEndProfile& record) {
  record.set_shipped(false);
  record.set_etag(FirstEtag(now));
}

void FillChanged(absl::Time /*now*/, const v1::Vm& before, v1::Vm& after) {
  DropObserved(after);
  after.set_name(before.name());
  *after.mutable_create_time() = before.create_time();
  after.set_etag(before.etag());
  if (!MessageDifferencer::Equals(before, after)) after.set_etag(NextEtag(before.etag()));
}

void FillChanged(absl::Time /*now*/, const v1::Endpoint& before, v1::Endpoint& after) {
  after.set_name(before.name());
  after.set_socket_path(before.socket_path());
  *after.mutable_create_time() = before.create_time();
  after.set_etag(before.etag());
  if (after.generation() < before.generation()) after.set_generation(before.generation());
  // Mere observations leave the etag, or no caller could ever change a busy endpoint.
  v1::Endpoint same = after;
  *same.mutable_labels() = before.labels();
  same.set_profile(before.profile());
  same.set_generation(before.generation());
  if (!MessageDifferencer::Equals(same, after)) after.set_etag(NextEtag(before.etag()));
}

absl::Status CheckDelete(const Registry::Snapshot&, const v1::Vm&) { return absl::OkStatus(); }

absl::Status CheckDelete(const Registry::Snapshot&, const v1::Endpoint&) {
  return absl::OkStatus();
}

absl::Status CheckRecord(const Registry::Snapshot& all, const v1::MigrationPolicy& record,
                         const v1::MigrationPolicy* before) {
  if (before != nullptr && before->shipped()) {
    return absl::FailedPreconditionError(absl::StrCat(
        record.name(), " is shipped with vufd and cannot be changed; a policy of any higher ",
        "priority prevails over it"));
  }
  if (before != nullptr && before->from_file()) return OnlyTheFile(record);
  if (record.replaces().empty() || all.policies.count(record.replaces()) > 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("migration_policy.replaces: \"", record.replaces(),
                                                 "\" does not exist; name a policy that "
                                                 "ListMigrationPolicies returns"));
}

absl::Status CheckRecord(const Registry::Snapshot& all, const v1::Acknowledgement& record,
                         const v1::Acknowledgement*) {
  if (all.vms.count(record.vm()) > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("acknowledgement.vm: \"", record.vm(), "\" is not registered"));
}

void FillNew(absl::Time now, v1::MigrationPolicy& record) {
  record.set_shipped(false);
  record.set_from_file(false);
  record.set_revision(1);
  SetTime(now, record.mutable_create_time());
  SetTime(now, record.mutable_update_time());
  record.set_etag(FirstEtag(now));
}

void FillNew(absl::Time now, v1::Acknowledgement& record) {
  SetTime(now, record.mutable_create_time());
  record.set_etag(FirstEtag(now));
}

void FillChanged(absl::Time now, const v1::MigrationPolicy& before, v1::MigrationPolicy& after) {
  after.set_name(before.name());
  after.set_shipped(before.shipped());
  after.set_from_file(before.from_file());
  after.set_revision(before.revision());
  *after.mutable_create_time() = before.create_time();
  *after.mutable_update_time() = before.update_time();
  after.set_etag(before.etag());
  if (MessageDifferencer::Equals(before, after)) return;
  after.set_revision(before.revision() + 1);
  SetTime(now, after.mutable_update_time());
  after.set_etag(NextEtag(before.etag()));
}

absl::Status CheckDelete(const Registry::Snapshot&, const v1::MigrationPolicy& record) {
  if (record.from_file()) return OnlyTheFile(record);
  if (!record.shipped()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(record.name(), " is shipped with vufd and cannot be deleted"));
}

absl::Status CheckDelete(const Registry::Snapshot&, const v1::Acknowledgement&) {
  return absl::OkStatus();
}

absl::Status CheckDelete(const Registry::Snapshot& all, const v1::BackEndProfile& record) {
  if (record.shipped()) {
    return absl::FailedPreconditionError(
        absl::StrCat(record.name(), " is shipped with vufd and cannot be deleted"));
  }
  constexpr size_t kNamed = 5;
  std::vector<std::string> users;
  size_t count = 0;
  for (const auto& [name, endpoint] : all.endpoints) {
    if (endpoint.profile() != record.name()) continue;
    if (++count <= kNamed) users.push_back(name);
  }
  if (count == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      record.name(), " is declared by ", count, " endpoint(s): ", absl::StrJoin(users, ", "),
      count > kNamed ? ", ..." : "", "; update or delete them first"));
}

}  // namespace vuf
