// Whatever a client of the control socket asks, of a session that is at work.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "keeper/control.h"
#include "keeper/log.h"
#include "keeper/testing/hand_over_world.h"

namespace vuf::keeper {
namespace {

// A path that the fuzzer made up may be somebody's socket.
bool ConnectsElsewhere(const std::string& packet) {
  v1::KeeperRequest request;
  return request.ParseFromString(packet) && request.replace_back_end().socket_path()[0] == '/';
}

// The packets of one connection: each begins with its length, and a length of 0 is a minute.
void Run(const uint8_t* data, size_t size) {
  HandOverWorld at_work;
  SetLogLevel(static_cast<Level>(-1));
  Control control(nullptr, at_work.world.session.get(), {}, "fuzz");
  while (size > 0) {
    const size_t length = std::min<size_t>(data[0], size - 1);
    const std::string packet(reinterpret_cast<const char*>(data + 1), length);
    data += 1 + length;
    size -= 1 + length;
    if (ConnectsElsewhere(packet)) continue;
    if (length == 0) at_work.world.Advance(std::chrono::minutes(1));
    const v1::KeeperResponse response = control.Handle(packet, at_work.world.now);
    std::string answer;
    if (!response.SerializeToString(&answer) || !v1::KeeperResponse().ParseFromString(answer)) {
      abort();
    }
    if (response.code() == v1::KeeperResponse::CODE_UNSPECIFIED) abort();
    at_work.world.Run();
  }
  // Whatever was asked, the driver goes on.
  if (!at_work.Works(at_work.source)) abort();
}

}  // namespace
}  // namespace vuf::keeper

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vuf::keeper::Run(data, size);
  return 0;
}
