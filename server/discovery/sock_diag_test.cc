#include "server/discovery/sock_diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/socket_view.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kSequence = 7;

template <typename T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string Pad(std::string bytes) {
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

std::string Attribute(uint16_t type, const std::string& payload) {
  const rtattr header = {static_cast<uint16_t>(RTA_LENGTH(payload.size())), type};
  return Pad(Bytes(header) + payload);
}

std::string Message(uint16_t type, const std::string& body, uint16_t flags = NLM_F_MULTI,
                    uint32_t sequence = kSequence) {
  const nlmsghdr header = {static_cast<uint32_t>(NLMSG_LENGTH(body.size())), type, flags, sequence,
                           0};
  return Pad(Bytes(header) + body);
}

std::string Row(uint32_t inode, uint8_t state, const std::string& attributes) {
  unix_diag_msg row = {};
  row.udiag_family = AF_UNIX;
  row.udiag_type = SOCK_STREAM;
  row.udiag_state = state;
  row.udiag_ino = inode;
  return Message(SOCK_DIAG_BY_FAMILY, Bytes(row) + attributes);
}

std::string File(uint32_t inode, uint32_t major, uint32_t minor) {
  return Attribute(UNIX_DIAG_VFS, Bytes(unix_diag_vfs{inode, major << 20 | minor}));
}

std::string Name(const std::string& name) { return Attribute(UNIX_DIAG_NAME, name); }

std::string Number(uint16_t type, uint32_t number) { return Attribute(type, Bytes(number)); }

const std::string& Done() {
  static const std::string* const done = new std::string(Message(NLMSG_DONE, Bytes(int32_t{0})));
  return *done;
}

TEST(ParseUnixDiagTest, ReadsRowsOfOnePath) {
  const std::string path("/run/fs0.sock\0", 14);
  UnixSocketDump dump;
  ASSERT_TRUE(ParseUnixDiag(Row(1, 10, Name(path) + File(11, 8, 1)) +
                                Row(2, 1, Name(path) + File(11, 8, 1) + Number(UNIX_DIAG_PEER, 3)) +
                                Row(3, 1, Number(UNIX_DIAG_PEER, 2)),
                            kSequence, dump)
                  .ok());
  EXPECT_FALSE(dump.done);
  ASSERT_TRUE(ParseUnixDiag(Done(), kSequence, dump).ok());
  EXPECT_TRUE(dump.done);
  ASSERT_EQ(dump.sockets.size(), 3u);
  EXPECT_TRUE(dump.sockets[0].listening);
  EXPECT_EQ(dump.sockets[0].name, "/run/fs0.sock");
  EXPECT_EQ(dump.sockets[1].name, "/run/fs0.sock");
  EXPECT_TRUE(dump.sockets[1].established);
  EXPECT_EQ(dump.sockets[1].peer, 3u);
  // The kernel's device number is not what stat says: it has to be translated.
  EXPECT_EQ(dump.sockets[1].file, (FileId{makedev(8, 1), 11}));
  EXPECT_EQ(dump.sockets[2].name, "");
  EXPECT_EQ(dump.sockets[2].file, std::nullopt);
}

TEST(ParseUnixDiagTest, KeepsAbstractNamesAndWaitingClients) {
  const std::string abstract("\0vfs\0x", 6);
  UnixSocketDump dump;
  ASSERT_TRUE(
      ParseUnixDiag(Row(1, 10,
                        Name(abstract) +
                            Attribute(UNIX_DIAG_ICONS, Bytes(uint32_t{5}) + Bytes(uint32_t{6}))) +
                        Row(5, 1, Number(UNIX_DIAG_PEER, 0)),
                    kSequence, dump)
          .ok());
  EXPECT_EQ(dump.sockets[0].name, abstract);
  EXPECT_THAT(dump.sockets[0].waiting, ElementsAre(5, 6));
  EXPECT_EQ(dump.sockets[1].peer, 0u);
}

TEST(ParseUnixDiagTest, NoticesAnInconsistentDump) {
  UnixSocketDump dump;
  const std::string interrupted =
      Message(NLMSG_DONE, Bytes(int32_t{0}), NLM_F_MULTI | NLM_F_DUMP_INTR);
  ASSERT_TRUE(ParseUnixDiag(interrupted, kSequence, dump).ok());
  EXPECT_TRUE(dump.interrupted);
}

TEST(ParseUnixDiagTest, SkipsAnswersToOthers) {
  UnixSocketDump dump;
  ASSERT_TRUE(
      ParseUnixDiag(Message(NLMSG_DONE, Bytes(int32_t{0}), 0, kSequence + 1), kSequence, dump)
          .ok());
  EXPECT_FALSE(dump.done);
}

TEST(ParseUnixDiagTest, PassesTheKernelsErrorsOn) {
  UnixSocketDump dump;
  const nlmsgerr error = {-EPERM, {}};
  EXPECT_TRUE(
      absl::IsPermissionDenied(ParseUnixDiag(Message(NLMSG_ERROR, Bytes(error)), kSequence, dump)));
  EXPECT_FALSE(ParseUnixDiag(Message(NLMSG_DONE, Bytes(int32_t{-ENOMEM})), kSequence, dump).ok());
  EXPECT_FALSE(ParseUnixDiag(Message(NLMSG_OVERRUN, ""), kSequence, dump).ok());
  EXPECT_FALSE(dump.done);
}

TEST(ParseUnixDiagTest, AnOutcomeThatIsNoErrnoIsQuoted) {
  for (const int32_t outcome : {INT32_MIN, -4096, 1, INT32_MAX}) {
    UnixSocketDump dump;
    const nlmsgerr error = {outcome, {}};
    const absl::Status refused = ParseUnixDiag(Message(NLMSG_ERROR, Bytes(error)), kSequence, dump);
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
    EXPECT_THAT(refused.message(), testing::HasSubstr(absl::StrCat(outcome)));
    EXPECT_TRUE(
        absl::IsDataLoss(ParseUnixDiag(Message(NLMSG_DONE, Bytes(outcome)), kSequence, dump)));
    EXPECT_FALSE(dump.done);
  }
}

TEST(ParseUnixDiagTest, RefusesEveryTruncation) {
  const std::string row = Row(1, 1, Name("/run/fs0.sock") + Number(UNIX_DIAG_PEER, 3));
  for (size_t size = 1; size < row.size(); ++size) {
    UnixSocketDump dump;
    EXPECT_FALSE(ParseUnixDiag(absl::string_view(row).substr(0, size), kSequence, dump).ok())
        << size;
  }
  // A length that lies, in the message and in the attribute.
  std::string lying = row;
  lying[0] = 4;
  UnixSocketDump dump;
  EXPECT_FALSE(ParseUnixDiag(lying, kSequence, dump).ok());
  lying = row;
  lying[NLMSG_HDRLEN + sizeof(unix_diag_msg)] = 1;
  EXPECT_FALSE(ParseUnixDiag(lying, kSequence, dump).ok());
}

TEST(SocketViewTest, CountsAcceptedAndWaitingFrontEnds) {
  const FileId file = {1, 2};
  const auto socket = [](uint64_t inode, uint64_t peer) {
    UnixSocket s;
    s.inode = inode;
    s.stream = s.established = true;
    s.peer = peer;
    return s;
  };
  UnixSocket listener = socket(10, 0);
  listener.established = false;
  listener.listening = true;
  listener.file = file;
  listener.waiting = {30};
  UnixSocket accepted = socket(11, 20);
  accepted.file = file;
  UnixSocket left = socket(12, 0);
  left.file = file;
  UnixSocket other = socket(13, 21);
  other.file = FileId{1, 3};
  const SocketView view({listener, accepted, left, other, socket(20, 11), socket(21, 13)});
  EXPECT_EQ(view.FrontEnds(11), 2);
  EXPECT_EQ(view.FrontEnds(13), 1);
  EXPECT_EQ(view.FrontEnds(20), 0);
  ASSERT_EQ(view.BoundPeersOf({20, 99}).size(), 1u);
  EXPECT_EQ(view.BoundPeersOf({20}).front()->inode, 11u);
}

TEST(SocketViewTest, AFileSystemWithItsOwnDeviceNumbersIsRecognisedByItsMount) {
  UnixSocket socket;
  socket.file = FileId{5, 77};
  const FileSighting seen = {{6, (uint64_t{1} << 32) + 77}, S_IFSOCK, 36};
  Mount mount;
  mount.id = 36;
  mount.device = 5;
  EXPECT_FALSE(BoundTo(socket, seen, {}));
  EXPECT_TRUE(BoundTo(socket, seen, {mount}));
  mount.id = 37;
  EXPECT_FALSE(BoundTo(socket, seen, {mount}));
}

TEST(NetlinkSocketTableTest, FindsAListenerItsClientAndItsFile) {
  const TempDirectory directory;
  const std::string path = directory.Path("s");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  memcpy(address.sun_path, path.c_str(), path.size());
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, name, sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(client, name, sizeof(address)), 0);
  struct stat listening = {};
  struct stat connecting = {};
  ASSERT_EQ(fstat(listener, &listening), 0);
  ASSERT_EQ(fstat(client, &connecting), 0);

  NetlinkSocketTable table;
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  auto before = table.List(deadline);
  ASSERT_TRUE(before.ok()) << before.status();
  const SocketView waiting(*std::move(before));
  EXPECT_EQ(waiting.FrontEnds(listening.st_ino), 1);
  EXPECT_THAT(waiting.BoundPeersOf({connecting.st_ino}), ElementsAre());

  const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  struct stat accepting = {};
  ASSERT_EQ(fstat(accepted, &accepting), 0);
  auto after = table.List(deadline);
  ASSERT_TRUE(after.ok()) << after.status();
  const SocketView view(*std::move(after));
  EXPECT_EQ(view.FrontEnds(listening.st_ino), 1);
  const auto peers = view.BoundPeersOf({connecting.st_ino});
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers.front()->inode, accepting.st_ino);
  EXPECT_EQ(peers.front()->name, path);
  EXPECT_TRUE(BoundTo(*peers.front(), LookAt(path).value(), {}));
  for (const int fd : {listener, client, accepted}) close(fd);
}

TEST(NetlinkSocketTableTest, KeepsItsDeadline) {
  NetlinkSocketTable table;
  EXPECT_TRUE(absl::IsDeadlineExceeded(table.List(absl::Now() - absl::Seconds(1)).status()));
}

}  // namespace
}  // namespace vuf
