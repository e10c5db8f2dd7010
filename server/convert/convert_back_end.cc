#include <string>

#include "server/convert/convert.h"

namespace vuf {
namespace {

// What people call it; a kind known only by a profile goes by its executable.
std::string KindName(const BackEndFacts& back_end) {
  switch (back_end.kind.value.value_or(BackEndKind::kUnknown)) {
    case BackEndKind::kUnknown:
      return "";
    case BackEndKind::kVirtiofsd:
      return "virtiofsd";
    case BackEndKind::kVirtiofsdC:
      return "virtiofsd-c";
    case BackEndKind::kFilestoreVhost:
      return "filestore-vhost";
    case BackEndKind::kKeeper:
      return "vuf-keeper";
    case BackEndKind::kProfiled: {
      const std::string executable = back_end.executable.value.value_or("");
      return executable.substr(executable.rfind('/') + 1);
    }
  }
  return "";
}

v1::Keeper KeeperMessage(const KeeperFacts& keeper, const Evidence<KeptBackEnd>& kept) {
  v1::Keeper out;
  out.set_control_socket(ValidUtf8(keeper.control_socket));
  out.set_instance(ValidUtf8(keeper.instance));
  out.set_session(ValidUtf8(keeper.session));
  out.set_phase(PhaseName(keeper.phase, ""));
  out.set_permit(ValidUtf8(keeper.permit));
  out.set_front_ends(static_cast<uint32_t>(keeper.front_ends.size()));
  out.set_version(ValidUtf8(keeper.version));
  out.set_last_refusal(ValidUtf8(keeper.last_refusal));
  if (kept.known()) {
    out.set_back_end_pid(kept.value->process.pid);
    out.set_back_end_executable(ValidUtf8(kept.value->executable));
  }
  return out;
}

}  // namespace

v1::BackEnd ToProto(const BackEndFacts& back_end) {
  v1::BackEnd out;
  out.set_kind(ValidUtf8(KindName(back_end)));
  if (back_end.version.known()) out.set_version(back_end.version.value->ToString());
  if (back_end.process.known()) {
    out.set_pid(back_end.process.value->pid);
    out.set_start_ticks(back_end.process.value->start_ticks);
  }
  out.set_executable(ValidUtf8(back_end.executable.value.value_or("")));
  if (back_end.options.known()) {
    const auto shared = back_end.options.value->find("shared-dir");
    if (shared != back_end.options.value->end()) {
      out.set_shared_directory(ValidUtf8(shared->second));
    }
  }
  if (back_end.features.known()) {
    for (const std::string& feature : *back_end.features.value) {
      out.add_features(ValidUtf8(feature));
    }
  }
  if (back_end.keeper.known()) {
    *out.mutable_keeper() = KeeperMessage(*back_end.keeper.value, back_end.kept);
  } else if (back_end.process.known()) {
    out.set_keeper_error(ValidUtf8(back_end.keeper.detail));
  }
  return out;
}

}  // namespace vuf
