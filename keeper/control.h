// The control service: vuf.v1.KeeperRequest in, vuf.v1.KeeperResponse out, one per packet.
#ifndef VUFD_KEEPER_CONTROL_H_
#define VUFD_KEEPER_CONTROL_H_

#include <poll.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "keeper/session.h"
#include "keeper/sockets.h"
#include "vuf/v1/keeper.pb.h"

namespace vuf::keeper {

class Control {
 public:
  static constexpr size_t kMaxClients = 8;
  static constexpr size_t kMaxRequest = 4096;
  static constexpr size_t kMaxPolled = 1 + kMaxClients;

  Control(Listener* listener, Session* session, std::set<uid_t> uids, std::string version);

  size_t Watch(std::array<pollfd, kMaxPolled>& out) const;
  // Serves who has asked, and tells watchers what has changed. Never waits.
  void Dispatch(Time now);

  // One packet as it came. Public for the fuzzer.
  v1::KeeperResponse Handle(const std::string& packet, Time now);

 private:
  struct Client {
    Fd socket;
    bool watches = false;
    // Of the session, as it was told last.
    uint64_t told = 0;
    // Does not read: what has changed is told when it does.
    bool full = false;
    // Waits for the end of a replacement.
    bool waits = false;
  };

  void AcceptAll();
  void Serve(Client& client, Time now);
  // What is no answer (`pushed`) can wait until the client reads.
  void Send(Client& client, const Result& result, Time now, bool pushed = false);
  v1::KeeperResponse ResponseTo(const Result& result, Time now) const;
  // Leaves `request` empty when the packet is none.
  static Result Understand(const std::string& packet, v1::KeeperRequest& request);
  Result Do(const v1::KeeperRequest& request, Time now);
  Result Arm(const v1::KeeperArm& request, Time now);
  Result Replace(const v1::KeeperReplaceBackEnd& request, Time now);

  Listener* const listener_;
  Session* const session_;
  const std::set<uid_t> uids_;
  const std::string version_;
  std::array<Client, kMaxClients> clients_;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_CONTROL_H_
