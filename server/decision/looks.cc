#include "server/decision/looks.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/string_view.h"

namespace vuf {
namespace {

// Different for every instance, and no rule compares them.
constexpr absl::string_view kOfInstance[] = {"fd", "socket", "socket-path"};

bool IsOfInstance(const std::string& option) {
  return std::find(std::begin(kOfInstance), std::end(kOfInstance), option) != std::end(kOfInstance);
}

class Looks {
 public:
  void Add(uint64_t value) { text_.append(reinterpret_cast<const char*>(&value), sizeof(value)); }
  // Its length first, so that no two lists of fields read the same.
  void Add(absl::string_view value) {
    Add(uint64_t{value.size()});
    text_.append(value.data(), value.size());
  }
  void Add(const Version& value) {
    Add(static_cast<uint64_t>(value.major));
    Add(static_cast<uint64_t>(value.minor));
    Add(static_cast<uint64_t>(value.micro));
  }
  void Add(BackEndKind value) { Add(static_cast<uint64_t>(value)); }
  void Add(const ShareId& value) {
    Add(value.root.device);
    Add(value.root.inode);
    Add(value.file_system);
    Add(value.mount_source);
    Add(uint64_t{value.mount_read_only});
  }
  void Add(const std::set<std::string>& values) {
    Add(uint64_t{values.size()});
    for (const std::string& value : values) Add(absl::string_view(value));
  }
  void Add(const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
      if (IsOfInstance(name)) continue;
      Add(absl::string_view(name));
      Add(absl::string_view(value));
    }
    Add(UINT64_MAX);
  }
  // Whether anybody says it, and what.
  template <typename T>
  void Add(const Evidence<T>& evidence) {
    Add(uint64_t{evidence.known()} + 2 * uint64_t{evidence.source == Source::kNobody});
    if (evidence.known()) Add(*evidence.value);
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string LooksOf(const FsDeviceFacts& device) {
  const BackEndFacts& back_end = device.back_end;
  if (back_end.kind.value == BackEndKind::kKeeper) return "";
  Looks looks;
  looks.Add(device.type);
  looks.Add(device.tag);
  looks.Add(device.request_queues);
  looks.Add(device.queue_size);
  looks.Add(device.pci_address);
  looks.Add(device.migration_property);
  looks.Add(back_end.kind);
  looks.Add(back_end.version);
  looks.Add(back_end.options);
  looks.Add(back_end.effective_capabilities);
  looks.Add(back_end.share);
  looks.Add(back_end.submounts);
  looks.Add(back_end.ids);
  looks.Add(back_end.security_label);
  return looks.Take();
}

}  // namespace vuf
