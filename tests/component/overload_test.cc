// Ten times as many calls as the agent can serve, for a minute: what becomes of its memory, of its
// answers and of a cancel. Prints what it measured, on a line that begins with "figures:".
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"
#include "server/base/log.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

// Some four times what a real QEMU takes for the questions of a verdict.
constexpr absl::Duration kMonitorTakes = absl::Milliseconds(50);
// As many as the agent has threads for monitors.
constexpr int kFew = 16;
constexpr absl::Duration kDeadline = absl::Seconds(1);
constexpr absl::Duration kLoad = absl::Seconds(60);
constexpr absl::Duration kBetweenCancels = absl::Milliseconds(100);
constexpr int kTimesTooMany = 10;
constexpr size_t kMemoryLimit = 128 << 20;

struct Figures {
  // Calls per second, with a few under way at any time.
  double sustainable = 0;
  int sent = 0;
  int answered = 0;
  int refused = 0;
  int late = 0;
  int other = 0;
};

// Sends one call after another without waiting for answers, from this thread; another one counts
// how they ended.
class Load {
 public:
  explicit Load(const std::string& address)
      : stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        counter_([this] { Count(); }) {
    v1::EvaluateMigrationRequest request;
    request.set_vm("vms/other");
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    request.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/third.qmp");
    const grpc::Slice slice(request.SerializeAsString());
    request_ = grpc::ByteBuffer(&slice, 1);
  }
  ~Load() { End(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void Send() {
    auto* const call = new Call;
    call->context = Context(kDeadline);
    call->reader = stub_.PrepareUnaryCall(
        call->context.get(), "/vuf.v1.MigrationService/EvaluateMigration", request_, &queue_);
    ++under_way_;
    ++figures_.sent;
    call->reader->StartCall();
    call->reader->Finish(&call->answer, &call->status, call);
  }
  int under_way() const { return under_way_; }
  // Waits for all answers.
  const Figures& End() {
    if (counter_.joinable()) {
      queue_.Shutdown();
      counter_.join();
    }
    return figures_;
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
    grpc::ByteBuffer answer;
    grpc::Status status;
  };
  void Count() {
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      const grpc::StatusCode code = call->status.error_code();
      if (code == grpc::StatusCode::OK) {
        ++figures_.answered;
      } else if (code == grpc::StatusCode::RESOURCE_EXHAUSTED) {
        ++figures_.refused;
      } else if (code == grpc::StatusCode::DEADLINE_EXCEEDED) {
        ++figures_.late;
      } else {
        ++figures_.other;
      }
      --under_way_;
    }
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ByteBuffer request_;
  std::atomic<int> under_way_{0};
  // What was sent is the sender's, how it ended the counter's until End.
  Figures figures_;
  std::thread counter_;
};

double Sustainable(const std::string& address) {
  constexpr absl::Duration kLong = absl::Seconds(3);
  Load load(address);
  const absl::Time begin = absl::Now();
  while (absl::Now() - begin < kLong) {
    if (load.under_way() < kFew) load.Send();
    absl::SleepFor(absl::Microseconds(100));
  }
  return load.End().answered / absl::ToDoubleSeconds(absl::Now() - begin);
}

Figures Overload(const std::string& address) {
  const double sustainable = Sustainable(address);
  const absl::Duration between = absl::Seconds(1) / (kTimesTooMany * std::max(sustainable, 1.0));
  Load load(address);
  const absl::Time begin = absl::Now();
  int sent = 0;
  while (absl::Now() - begin < kLoad) {
    for (; begin + sent * between <= absl::Now() && absl::Now() - begin < kLoad; ++sent) {
      load.Send();
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  Figures figures = load.End();
  figures.sustainable = sustainable;
  return figures;
}

// A process of its own, so that the agent's memory is the agent's. Made before anything has
// threads; begins when it is given an address.
class LoadProcess {
 public:
  LoadProcess() {
    if (pipe(to_) != 0 || pipe(from_) != 0) abort();
    pid_ = fork();
    if (pid_ != 0) return;
    close(to_[1]);
    char address[1024] = {};
    Figures figures;
    if (read(to_[0], address, sizeof(address) - 1) > 0) figures = Overload(address);
    _exit(write(from_[1], &figures, sizeof(figures)) == sizeof(figures) ? 0 : 1);
  }
  ~LoadProcess() {
    close(to_[1]);
    waitpid(pid_, nullptr, 0);
  }
  LoadProcess(const LoadProcess&) = delete;
  LoadProcess& operator=(const LoadProcess&) = delete;

  void Begin(const std::string& address) {
    ASSERT_EQ(write(to_[1], address.data(), address.size()), static_cast<ssize_t>(address.size()));
  }
  Figures Await() {
    Figures figures;
    EXPECT_EQ(read(from_[0], &figures, sizeof(figures)), static_cast<ssize_t>(sizeof(figures)));
    return figures;
  }

 private:
  int to_[2];
  int from_[2];
  pid_t pid_ = -1;
};

ApiWorld::Options ShippedLimits() {
  ApiWorld::Options options;
  // As shipped, but for calls per second, which would refuse nearly all before they are any load.
  options.limits.requests_in_flight = ClientLimits().requests_in_flight;
  return options;
}

class OverloadTest : public ::testing::Test {
 protected:
  OverloadTest() : world_(ShippedLimits()) {
    ConfigureLog(LogLevel::kError, false);
    world_.RegisterSource();
    VmFacts third = SafeDestination();
    third.qmp_socket = "/run/third.qmp";
    world_.qemu.AddVm(third);
    // One whose monitor takes its time.
    VmFacts other = SafeSource();
    other.qmp_socket = "/run/other.qmp";
    other.uuid.value = "99999999-0000-0000-0000-000000000000";
    world_.qemu.AddVm(other);
    for (const FakeCall call : {FakeCall::kObserve, FakeCall::kObserveAgain}) {
      world_.qemu.Before(other.qmp_socket, call, [] { absl::SleepFor(kMonitorTakes); });
    }
    v1::RegisterVmRequest request;
    request.mutable_vm()->set_qmp_socket(other.qmp_socket);
    request.set_vm_id("other");
    v1::Vm vm;
    const grpc::Status status = world_.vms->RegisterVm(Context().get(), request, &vm);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  std::string BeginMigration() {
    world_.qemu.SetOutcome(world_.source(), FakeOutcome::kNeverConverges);
    v1::Migration migration;
    const grpc::Status status = world_.migrations->CreateMigration(
        Context().get(), world_.MigrationRequest("r"), &migration);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return migration.name();
  }
  // How long the answer takes; the call has a deadline of a second.
  absl::Duration Cancel(const std::string& name) {
    v1::CancelMigrationRequest request;
    request.set_name(name);
    v1::Migration migration;
    const absl::Time begin = absl::Now();
    const grpc::Status status =
        world_.migrations->CancelMigration(Context(kDeadline).get(), request, &migration);
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::FAILED_PRECONDITION)
        << status.error_message();
    return absl::Now() - begin;
  }
  static size_t MemoryInUse() {
    std::ifstream statm("/proc/self/statm");
    size_t all = 0;
    size_t resident = 0;
    statm >> all >> resident;
    return resident * 4096;
  }

  LoadProcess load_;
  ApiWorld world_;
};

TEST_F(OverloadTest, MemoryIsBoundedAndACancelIsAnswered) {
  const std::string migration = BeginMigration();
  const size_t before = MemoryInUse();
  std::atomic<bool> over{false};
  absl::Duration slowest;
  int cancels = 0;
  size_t memory = before;
  std::thread canceller([&] {
    for (; !over; ++cancels) {
      slowest = std::max(slowest, Cancel(migration));
      memory = std::max(memory, MemoryInUse());
      absl::SleepFor(kBetweenCancels);
    }
  });
  load_.Begin(absl::StrCat("unix:", world_.directory.Path("api.sock")));
  const Figures figures = load_.Await();
  over = true;
  canceller.join();
  printf(
      "figures: %.0f evaluations/s sustained; %d sent in 60 s: %d answered, %d refused, %d late, "
      "%d "
      "otherwise; memory %zu MiB, then at most %zu MiB; %d cancels, the slowest %.1f ms\n",
      figures.sustainable, figures.sent, figures.answered, figures.refused, figures.late,
      figures.other, before >> 20, memory >> 20, cancels, absl::ToDoubleMilliseconds(slowest));
  EXPECT_EQ(world_.Await(migration).state(), v1::Migration::STATE_CANCELLED);
  // It goes on serving whom it can, and tells the others.
  EXPECT_GT(figures.sent, 60 * figures.sustainable * kTimesTooMany / 2);
  EXPECT_GT(figures.answered, 60 * figures.sustainable / 4);
  EXPECT_GT(figures.refused, 0);
  EXPECT_EQ(figures.other, 0);
  EXPECT_LT(memory, before + kMemoryLimit);
  EXPECT_GT(cancels, 100);
  EXPECT_LT(slowest, kDeadline);
}

}  // namespace
}  // namespace vuf
