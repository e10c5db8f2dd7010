// Facts as text, for findings; and which values, though present, say nothing.
#ifndef VUFD_SERVER_DECISION_TEXT_H_
#define VUFD_SERVER_DECISION_TEXT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/model/policy.h"
#include "server/model/vm.h"

namespace vuf {

std::string ToText(const std::string& value);
std::string ToText(bool value);
std::string ToText(int value);
std::string ToText(uint32_t value);
// A set of bits, as in procfs.
std::string ToText(uint64_t value);
std::string ToText(const Version& value);
std::string ToText(const ProcessId& value);
std::string ToText(ProcessState value);
std::string ToText(BackEndKind value);
std::string ToText(const FileId& value);
std::string ToText(const ShareId& value);
std::string ToText(const DescriptorFacts& value);
std::string ToText(const OpenFileFacts& value);
std::string ToText(const SocketFacts& value);
std::string ToText(const ChardevFacts& value);
std::string ToText(const BackEndFacts::ProfileModes& value);
std::string ToText(KeeperFacts::Phase value);
std::string ToText(KeeperFacts::Role value);
std::string ToText(const KeeperFacts& value);
std::string ToText(const KeptBackEnd& value);
std::string ToText(const EffectivePolicy& value);
std::string ToText(const std::map<std::string, std::string>& value);
std::string ToText(const std::map<std::string, bool>& value);
std::string ToText(const std::set<std::string>& value);
std::string ToText(const std::vector<std::string>& value);
std::string ToText(const std::vector<MemoryBackendFacts>& value);
std::string ToText(const std::vector<FsDeviceFacts>& value);

// True for a value that nobody can have observed, such as process 0: it counts as unknown.
template <typename T>
bool SaysNothing(const T&) {
  return false;
}
inline bool SaysNothing(const ProcessId& value) { return value.pid <= 0 || value.start_ticks == 0; }
inline bool SaysNothing(const FileId& value) { return value.inode == 0; }
inline bool SaysNothing(const ShareId& value) { return SaysNothing(value.root); }
inline bool SaysNothing(const DescriptorFacts& value) { return value.limit == 0; }
inline bool SaysNothing(const OpenFileFacts& value) { return value.looked_at == 0; }
inline bool SaysNothing(const SocketFacts& value) {
  return SaysNothing(value.bound_file) || value.peer_inode == 0;
}
inline bool SaysNothing(ProcessState value) { return value == ProcessState::kUnknown; }
inline bool SaysNothing(const KeptBackEnd& value) {
  return SaysNothing(value.process) || SaysNothing(value.state);
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_TEXT_H_
