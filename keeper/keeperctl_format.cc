#include "keeper/keeperctl_format.h"

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace vuf::keeper {
namespace {

// "PHASE_NONE" -> "none".
std::string Word(const std::string& name) {
  std::string out;
  for (const char c : name.substr(name.find('_') + 1)) {
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= ' ') {
      out += c;
      continue;
    }
    char escape[8];
    snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
    out += escape;
  }
  return out + "\"";
}

// An object, member by member.
class Object {
 public:
  Object& Add(const std::string& name, const std::string& json) {
    members_ += (members_.empty() ? "" : ",") + Quoted(name) + ":" + json;
    return *this;
  }
  Object& Text(const std::string& name, const std::string& value) {
    return Add(name, Quoted(value));
  }
  Object& Number(const std::string& name, int64_t value) {
    return Add(name, std::to_string(value));
  }
  Object& Flag(const std::string& name, bool value) { return Add(name, value ? "true" : "false"); }
  std::string Done() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

std::string BackEndJson(const v1::KeeperBackEnd& back_end) {
  return Object()
      .Number("socket_inode", static_cast<int64_t>(back_end.socket_inode()))
      .Number("features", static_cast<int64_t>(back_end.features()))
      .Number("protocol_features", static_cast<int64_t>(back_end.protocol_features()))
      .Number("queues", back_end.queues())
      .Number("supervised_pid", back_end.supervised_pid())
      .Number("unanswered", back_end.unanswered())
      .Done();
}

std::string FrontEndsJson(const v1::KeeperSession& session) {
  std::string out;
  for (const v1::KeeperFrontEnd& one : session.front_ends()) {
    if (!out.empty()) out += ",";
    out += Object()
               .Number("socket_inode", static_cast<int64_t>(one.socket_inode()))
               .Text("role", v1::KeeperFrontEnd::Role_Name(one.role()))
               .Number("pid", one.pid())
               .Number("running_rings", one.running_rings())
               .Flag("undrained", one.undrained())
               .Done();
  }
  return "[" + out + "]";
}

}  // namespace

std::string ToJson(const v1::KeeperSession& session) {
  return Object()
      .Text("instance", session.instance())
      .Text("session", session.session())
      .Number("revision", static_cast<int64_t>(session.revision()))
      .Text("version", session.version())
      .Add("back_end", BackEndJson(session.back_end()))
      .Add("front_ends", FrontEndsJson(session))
      .Text("phase", v1::KeeperSession::Phase_Name(session.phase()))
      .Text("permit", session.permit())
      .Flag("fenced", session.fenced())
      .Number("ttl_ms", session.ttl_ms())
      .Text("handed_over_permit", session.handed_over_permit())
      .Number("hand_overs", static_cast<int64_t>(session.hand_overs()))
      .Text("last_refusal", session.last_refusal())
      .Number("last_drain_us", static_cast<int64_t>(session.last_drain_us()))
      .Number("drain_timeouts", static_cast<int64_t>(session.drain_timeouts()))
      .Number("drain_limit_ms", session.drain_limit_ms())
      .Number("last_replace_us", static_cast<int64_t>(session.last_replace_us()))
      .Done();
}

std::string ToText(const v1::KeeperSession& session) {
  std::string out = "keeper     " + session.version() + ", instance " + session.instance() + "\n";
  out += "session    " + session.session() + ", handed over " +
         std::to_string(session.hand_overs()) + " times\n";
  out += "hand-over  " + Word(v1::KeeperSession::Phase_Name(session.phase()));
  if (!session.permit().empty()) {
    out += ", permit " + session.permit() + ", " + std::to_string(session.ttl_ms()) + " ms left";
  }
  out += session.fenced() ? ", fenced\n" : "\n";
  for (const v1::KeeperFrontEnd& one : session.front_ends()) {
    out += "front-end  pid " + std::to_string(one.pid()) + ", inode " +
           std::to_string(one.socket_inode()) + ", " +
           Word(v1::KeeperFrontEnd::Role_Name(one.role())) + ", " +
           std::to_string(one.running_rings()) + " rings served" +
           (one.undrained() ? ", stopped with a request under way\n" : "\n");
  }
  out += "back-end   inode " + std::to_string(session.back_end().socket_inode()) + ", " +
         std::to_string(session.back_end().unanswered()) + " requests unanswered\n";
  if (!session.last_refusal().empty()) out += "refused    " + session.last_refusal() + "\n";
  return out;
}

}  // namespace vuf::keeper
