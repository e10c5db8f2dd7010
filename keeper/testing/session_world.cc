#include "keeper/testing/session_world.h"

#include <csignal>
#include <cstdlib>
#include <utility>

#include "keeper/log.h"

namespace vuf::keeper {

SessionWorld::SessionWorld(const FakeBackEnd::Options& options) : back_end(options) {
  // As vuf-keeper does: a pipe that nobody reads is an error, not the end.
  signal(SIGPIPE, SIG_IGN);
  SetLogLevel(Level::kError);
  session = std::make_unique<Session>(SessionOptions(), back_end.Connect());
}

FakeFrontEnd& SessionWorld::Connect(const FakeFrontEnd::Options& options, const Fd& memory) {
  auto [here, there] = SocketPair();
  inodes_.push_back(InodeOf(there.get()));
  session->Add(std::move(there), 100 + static_cast<int>(front_ends_.size()));
  front_ends_.push_back(std::make_unique<FakeFrontEnd>(options, std::move(here), memory.Duplicate(),
                                                       [this] { Settle(); }));
  return *front_ends_.back();
}

FakeFrontEnd& SessionWorld::ConnectCopyOf(const FakeFrontEnd& other) {
  FakeFrontEnd::Options options;
  options.user_address = 0x7e0000000000 + (front_ends_.size() << 36);
  options.queues = static_cast<uint32_t>(other.bases.size());
  FakeFrontEnd& out = Connect(options, Memory(kGuestMemory));
  CopyGuest(other, out);
  return out;
}

void SessionWorld::CopyGuest(const FakeFrontEnd& from, FakeFrontEnd& to) {
  std::string all(kGuestMemory, '\0');
  if (pread(from.memory.get(), all.data(), all.size(), 0) != ssize_t{kGuestMemory}) abort();
  if (pwrite(to.memory.get(), all.data(), all.size(), 0) != ssize_t{kGuestMemory}) abort();
  to.bases = from.bases;
}

FakeFrontEnd& SessionWorld::Driver() {
  FakeFrontEnd& out = Connect();
  if (!out.Realize() || !out.Start()) abort();
  return out;
}

void SessionWorld::Run() {
  bool more = true;
  for (int i = 0; more && i < 10000; ++i) {
    session->Dispatch(now);
    more = back_end.Serve();
    for (const auto& front_end : front_ends_) more = front_end->Read() || more;
  }
  if (more) abort();
}

void SessionWorld::Settle() {
  Run();
  Advance(std::chrono::microseconds(250));
}

void SessionWorld::Advance(std::chrono::microseconds by) {
  now += by;
  Run();
}

uint64_t SessionWorld::Inode(const FakeFrontEnd& front_end) const {
  for (size_t i = 0; i < front_ends_.size(); ++i) {
    if (front_ends_[i].get() == &front_end) return inodes_[i];
  }
  return 0;
}

Permit SessionWorld::PermitFor(const FakeFrontEnd& from, const FakeFrontEnd& to,
                               const std::string& id) const {
  Permit out;
  out.id = id;
  out.expires = now + std::chrono::minutes(1);
  out.source = Inode(from);
  out.destination = Inode(to);
  return out;
}

v1::KeeperSession SessionWorld::Describe() const {
  v1::KeeperSession out;
  session->Describe(now, out);
  return out;
}

v1::KeeperFrontEnd::Role SessionWorld::Role(const FakeFrontEnd& front_end) const {
  const v1::KeeperSession session_now = Describe();
  for (const v1::KeeperFrontEnd& one : session_now.front_ends()) {
    if (one.socket_inode() == Inode(front_end)) return one.role();
  }
  return v1::KeeperFrontEnd::ROLE_UNSPECIFIED;
}

}  // namespace vuf::keeper
