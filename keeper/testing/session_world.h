// A session with a back-end and front-ends, on the test's thread and clock.
#ifndef VUFD_KEEPER_TESTING_SESSION_WORLD_H_
#define VUFD_KEEPER_TESTING_SESSION_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "keeper/session.h"
#include "keeper/testing/fake_back_end.h"
#include "keeper/testing/fake_front_end.h"

namespace vuf::keeper {

class SessionWorld {
 public:
  explicit SessionWorld(const FakeBackEnd::Options& options = FakeBackEnd::Options());

  // Another front-end; its connection is the session's from now on.
  FakeFrontEnd& Connect(const FakeFrontEnd::Options& options, const Fd& memory);
  FakeFrontEnd& Connect() { return Connect(FakeFrontEnd::Options(), Memory(kGuestMemory)); }
  // One that is a copy of `other` in another QEMU: other addresses and other memory.
  FakeFrontEnd& ConnectCopyOf(const FakeFrontEnd& other);
  // What a migration does with the guest's memory and its rings' bases.
  void CopyGuest(const FakeFrontEnd& from, FakeFrontEnd& to);
  // One that is connected, realized and started.
  FakeFrontEnd& Driver();

  // Until nothing more happens. Time stands still.
  void Run();
  void Advance(std::chrono::microseconds by);
  // As long as a ring with its last kick taken takes to stop.
  void Settle();

  uint64_t Inode(const FakeFrontEnd& front_end) const;
  // A stateless permit for a hand-over from one to the other; a minute long.
  Permit PermitFor(const FakeFrontEnd& from, const FakeFrontEnd& to,
                   const std::string& id = "permit") const;
  v1::KeeperSession Describe() const;
  v1::KeeperFrontEnd::Role Role(const FakeFrontEnd& front_end) const;
  v1::KeeperSession::Phase Phase() const { return Describe().phase(); }

  Time now = Time() + std::chrono::hours(1);
  FakeBackEnd back_end;
  std::unique_ptr<Session> session;

 private:
  std::vector<std::unique_ptr<FakeFrontEnd>> front_ends_;
  std::vector<uint64_t> inodes_;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_TESTING_SESSION_WORLD_H_
