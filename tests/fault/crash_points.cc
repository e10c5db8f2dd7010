#include "tests/fault/crash_points.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/convert/convert.h"
#include "vuf/v1/migration.pb.h"
#include "vuf/v1/peer.pb.h"

namespace vuf {
namespace {

class CrashingHypervisor : public Hypervisor {
 public:
  CrashingHypervisor(CrashPoints* points, std::string side, std::unique_ptr<Hypervisor> hypervisor)
      : points_(points), side_(std::move(side)), hypervisor_(std::move(hypervisor)) {}

  absl::StatusOr<VmFacts> Observe(absl::Time deadline) override {
    const auto span = Look("observe");
    return hypervisor_->Observe(deadline);
  }
  absl::StatusOr<MigrationInfo> QueryMigration(absl::Time deadline) override {
    const auto span = Look("query-migrate at");
    return hypervisor_->QueryMigration(deadline);
  }
  absl::StatusOr<std::string> QueryRunState(absl::Time deadline) override {
    const auto span = Look("query-status at");
    return hypervisor_->QueryRunState(deadline);
  }
  absl::StatusOr<VmFacts> ObserveAgain(const VmFacts& before, absl::Time deadline) override {
    const auto span = Look("observe again");
    return hypervisor_->ObserveAgain(before, deadline);
  }
  absl::StatusOr<Standing> QueryStanding(absl::Time deadline) override {
    const auto span = Look("query where it stands:");
    return hypervisor_->QueryStanding(deadline);
  }
  absl::StatusOr<MonitorEvent> Await(absl::Time deadline) override {
    const auto span = Look("an event of");
    return hypervisor_->Await(deadline);
  }
  absl::StatusOr<MigrationSettings> QuerySettings(absl::Time deadline) override {
    const auto span = Look("query the settings of");
    return hypervisor_->QuerySettings(deadline);
  }
  absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& settings,
                                              absl::Time deadline) override {
    const auto span = Act("configure");
    return hypervisor_->Configure(settings, deadline);
  }
  absl::Status PrepareIncoming(int stream_fd, absl::Time deadline) override {
    const auto span = Act("migrate-incoming at");
    return hypervisor_->PrepareIncoming(stream_fd, deadline);
  }
  absl::Status StartOutgoing(int stream_fd, absl::Time deadline) override {
    const auto span = Act("migrate at");
    return hypervisor_->StartOutgoing(stream_fd, deadline);
  }
  absl::Status Do(Hypervisor::Act act, absl::Time deadline) override {
    const auto span = Act(NameOf(act));
    return hypervisor_->Do(act, deadline);
  }

 private:
  static const char* NameOf(Hypervisor::Act act) {
    switch (act) {
      case Hypervisor::Act::kMigrateContinue:
        return "migrate-continue at";
      case Hypervisor::Act::kMigrateCancel:
        return "migrate_cancel at";
      case Hypervisor::Act::kCont:
        return "cont";
      case Hypervisor::Act::kQuit:
        return "quit";
    }
    return "?";
  }
  CrashPoints::Span Act(const char* what) {
    return points_->Act(absl::StrCat(what, " the ", side_));
  }
  CrashPoints::Span Look(const char* what) {
    return points_->Look(absl::StrCat(what, " the ", side_));
  }

  CrashPoints* const points_;
  const std::string side_;
  const std::unique_ptr<Hypervisor> hypervisor_;
};

std::string NameOfReservation(CrashPoints& points, const Change& change) {
  v1::Reservation reservation;
  if (!change.value.has_value() || !reservation.ParseFromString(*change.value)) return "";
  if (reservation.state() == v1::Reservation::STATE_RESERVED) {
    points.Begin(reservation.destination_qemu().qmp_socket());
  }
  const std::string state = v1::Reservation::State_Name(reservation.state());
  return absl::StrCat("write ", absl::StripPrefix(state, "STATE_"));
}

// "" is of no interest: what other threads write at any time.
std::string NameOfWrite(CrashPoints& points, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    if (change.table == Table::kVms) return "write the VM";
    if (change.table == Table::kSavedGuests) return "write what was saved";
    if (change.table == Table::kReservations) return NameOfReservation(points, change);
    v1::Migration migration;
    if (change.table != Table::kMigrations || !change.value.has_value()) continue;
    if (!migration.ParseFromString(*change.value)) continue;
    if (migration.state() == v1::Migration::STATE_EVALUATING) {
      points.Begin(MonitorOf(migration.destination()));
    }
    const std::string state = v1::Migration::State_Name(migration.state());
    return absl::StrCat("write ", absl::StripPrefix(state, "STATE_"));
  }
  return "";
}

std::string At(const KeeperAddress& address) {
  return address.control_socket.substr(address.control_socket.rfind('/') + 1);
}

}  // namespace

void CrashPoints::Begin(const std::string& destination) {
  MutexLock lock(&mu_);
  begun_ = true;
  destination_ = destination;
}

std::string CrashPoints::SideOf(const std::string& qmp_socket) const {
  MutexLock lock(&mu_);
  return qmp_socket == destination_ ? "destination" : "source";
}

CrashPoints::Place& CrashPoints::PlaceOf(const std::string& what) {
  if (absl::EndsWith(what, " the source")) return source_;
  return absl::EndsWith(what, " the destination") ? there_ : anywhere_;
}

std::string CrashPoints::NameOfAct(const std::string& what) {
  MutexLock lock(&mu_);
  if (!begun_ || what.empty()) return "";
  const int times = ++acts_[what];
  std::string name = times == 1 ? what : absl::StrCat(what, " ", times);
  for (Place* const place : {&PlaceOf(what), &anywhere_}) *place = {name, {}};
  return name;
}

std::string CrashPoints::NameOfAside(const std::string& what) const {
  MutexLock lock(&mu_);
  return begun_ ? what : "";
}

std::string CrashPoints::NameOfLook(const std::string& what) {
  MutexLock lock(&mu_);
  Place& place = PlaceOf(what);
  if (!begun_ || !place.looks.insert(what).second) return "";
  return absl::StrCat(what, " [", place.last_act, "]");
}

void CrashPoints::Reach(const char* when, const std::string& name) {
  if (name.empty()) return;
  const std::string point = absl::StrCat(when, name);
  const std::string line = absl::StrCat("crash point: ", point, "\n");
  // One call, so that lines of several threads do not mix.
  (void)!write(STDERR_FILENO, line.data(), line.size());
  if (point == at_) kill(getpid(), signal_);
}

absl::Status CrashingStore::Write(const std::vector<Change>& changes) {
  const auto span = points_->Act(NameOfWrite(*points_, changes));
  return store_->Write(changes);
}

absl::StatusOr<std::unique_ptr<Hypervisor>> CrashingConnector::Connect(
    const std::string& qmp_socket, absl::Time deadline) {
  const std::string side = points_->SideOf(qmp_socket);
  const auto span = points_->Look(absl::StrCat("connect to the ", side));
  absl::StatusOr<std::unique_ptr<Hypervisor>> connected = connector_->Connect(qmp_socket, deadline);
  if (!connected.ok()) return connected.status();
  return std::make_unique<CrashingHypervisor>(points_, side, *std::move(connected));
}

absl::StatusOr<KeeperFacts> CrashingKeepers::Look(const KeeperAddress& address,
                                                  absl::Time deadline) {
  const auto span = points_->Look(absl::StrCat("look at ", At(address)));
  return keepers_->Look(address, deadline);
}

absl::StatusOr<KeeperFacts> CrashingKeepers::Arm(const KeeperAddress& address,
                                                 const KeeperPermit& permit, absl::Time deadline) {
  const auto span = points_->Act(absl::StrCat("arm at ", At(address)));
  return keepers_->Arm(address, permit, deadline);
}

absl::StatusOr<KeeperFacts> CrashingKeepers::Disarm(const KeeperAddress& address,
                                                    const std::string& permit,
                                                    absl::Time deadline) {
  const auto span = points_->Act(absl::StrCat("disarm at ", At(address)));
  return keepers_->Disarm(address, permit, deadline);
}

absl::StatusOr<KeeperFacts> CrashingKeepers::Fence(const KeeperAddress& address,
                                                   const std::string& permit, absl::Time deadline) {
  const auto span = points_->Act(absl::StrCat("fence at ", At(address)));
  return keepers_->Fence(address, permit, deadline);
}

absl::StatusOr<v1::JudgeIncomingResponse> CrashingPeers::Judge(
    const std::string& agent, const v1::JudgeIncomingRequest& request, absl::Time deadline) {
  const auto span = points_->Act("ask for a verdict");
  return peers_->Judge(agent, request, deadline);
}

absl::StatusOr<v1::ReserveResponse> CrashingPeers::Reserve(const std::string& agent,
                                                           const v1::ReserveRequest& request,
                                                           absl::Time deadline) {
  const auto span = points_->Act("reserve");
  return peers_->Reserve(agent, request, deadline);
}

absl::Status CrashingPeers::OpenStream(const std::string& agent, const std::string& reservation,
                                       absl::Time deadline) {
  const auto span = points_->Act("open the stream");
  return peers_->OpenStream(agent, reservation, deadline);
}

absl::Status CrashingPeers::Recheck(const std::string& agent, const std::string& reservation,
                                    absl::Time deadline) {
  const auto span = points_->Aside("recheck there");
  return peers_->Recheck(agent, reservation, deadline);
}

absl::Status CrashingPeers::Promise(const std::string& agent, const std::string& reservation,
                                    absl::Time deadline) {
  const auto span = points_->Act("ask for the promise");
  return peers_->Promise(agent, reservation, deadline);
}

absl::StatusOr<v1::Reservation> CrashingPeers::Commit(const std::string& agent,
                                                      const std::string& reservation,
                                                      absl::Time deadline) {
  const auto span = points_->Act("commit there");
  return peers_->Commit(agent, reservation, deadline);
}

absl::StatusOr<v1::AbortReservationResponse> CrashingPeers::Abort(
    const std::string& agent, const v1::AbortReservationRequest& request, absl::Time deadline) {
  const auto span = points_->Act("abort there");
  return peers_->Abort(agent, request, deadline);
}

}  // namespace vuf
