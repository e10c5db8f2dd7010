// Whatever arrives on a netlink socket. The first byte chooses where the bytes are cut into two
// datagrams.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "server/discovery/sock_diag.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = data[0] < bytes.size() ? data[0] : bytes.size();
  vuf::UnixSocketDump dump;
  // Sequence 0 is the easiest to hit.
  if (vuf::ParseUnixDiag(bytes.substr(0, cut), 0, dump).ok()) {
    (void)vuf::ParseUnixDiag(bytes.substr(cut), 0, dump);
  }
  // A row costs at least its two headers.
  if (dump.sockets.size() > size / 32) std::abort();
  return 0;
}
