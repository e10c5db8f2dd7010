// Saving the session's state into a migration stream, and loading it from one.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "keeper/log.h"
#include "keeper/session.h"

namespace vuf::keeper {

void Session::NoteRefusal(const std::string& why) {
  last_refusal_ = why;
  ++revision_;
  Log(Level::kWarning, why);
}

void Session::SetDeviceState(FrontEnd& front_end, Message& message, Time now) {
  DeviceStateFd what;
  if (!message.Get(what) || message.fd_count != 1 || what.phase != 0 ||
      what.direction > DeviceStateFd::kLoad) {
    return AnswerU64(front_end, 1 | kNoFdReturned);
  }
  if (what.direction == DeviceStateFd::kSave) {
    return Save(front_end, std::move(message.fds[0]), now);
  }
  BeginLoad(front_end, std::move(message.fds[0]));
}

void Session::Save(FrontEnd& front_end, Fd pipe, Time now) {
  front_end.save_result = 1;
  front_end.save_forwarded = false;
  std::string why;
  if (!Drives(front_end)) {
    why = "it does not have the session";
  } else if (!AllStopped()) {
    why = "its rings are not stopped, or a request is still under way";
  } else if (front_end.undrained) {
    why = "a request was under way when it was stopped";
  } else {
    why = hand_over_.MaySave(now, front_end.inode);
  }
  if (!why.empty()) {
    NoteRefusal("a save was refused: " + why);
    return AnswerU64(front_end, 1 | kNoFdReturned);
  }
  const MarkerBytes marker = hand_over_.Save(session_);
  ++revision_;
  // Fits a pipe at once, or the pipe is not the empty one that QEMU makes.
  pollfd look = {pipe.get(), POLLOUT, 0};
  const bool room = poll(&look, 1, 0) == 1 && (look.revents & POLLOUT) != 0;
  if (!room || write(pipe.get(), marker.data(), marker.size()) != ssize_t{kMarkerSize}) {
    hand_over_.TakeBack();
    NoteRefusal("a save failed: the marker could not be written");
    return AnswerU64(front_end, 1 | kNoFdReturned);
  }
  Log(Level::kInfo, "saved under permit " + hand_over_.permit().id);
  if (hand_over_.permit().mode == MarkerMode::kStateless) {
    front_end.save_result = 0;
    return AnswerU64(front_end, kNoFdReturned);
  }
  front_end.save_forwarded = true;
  Message save = Message::Make(kSetDeviceStateFd, DeviceStateFd{DeviceStateFd::kSave, 0});
  save.Add(std::move(pipe));
  Forward(front_end, std::move(save));
}

void Session::BeginLoad(FrontEnd& front_end, Fd pipe) {
  front_end.load = Load();
  if (Drives(front_end) || front_end.fenced) {
    RefuseLoad(front_end, "this front-end has, or had, the session itself");
    return AnswerU64(front_end, 1 | kNoFdReturned);
  }
  const int flags = fcntl(pipe.get(), F_GETFL);
  if (flags < 0 || fcntl(pipe.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    RefuseLoad(front_end, "its descriptor cannot be read");
    return AnswerU64(front_end, 1 | kNoFdReturned);
  }
  front_end.load.stage = Load::Stage::kMarker;
  front_end.load.pipe = std::move(pipe);
  AnswerU64(front_end, kNoFdReturned);
}

void Session::RefuseLoad(FrontEnd& front_end, const std::string& why) {
  front_end.load.stage = Load::Stage::kRefused;
  front_end.load.pipe.Close();
  NoteRefusal("a load by front-end " + std::to_string(front_end.id) + " was refused: " + why);
}

// Reads what has come so far; QEMU writes the whole state before it asks for the result, so the
// back-end must begin to read its part meanwhile.
void Session::GoOnLoading(FrontEnd& front_end, Time now) {
  Load& load = front_end.load;
  while (load.pipe.valid()) {
    uint8_t extra;
    const bool marker = load.stage == Load::Stage::kMarker;
    const ssize_t n =
        marker ? read(load.pipe.get(), load.bytes.data() + load.have, load.bytes.size() - load.have)
               : read(load.pipe.get(), &extra, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return RefuseLoad(front_end, "the state cannot be read");
    if (n == 0) {
      if (marker) return RefuseLoad(front_end, "the state is shorter than a marker");
      return load.pipe.Close();
    }
    if (!marker) return RefuseLoad(front_end, "something follows a stateless marker");
    load.have += static_cast<size_t>(n);
    if (load.have == load.bytes.size()) MarkerComplete(front_end, now);
  }
}

void Session::MarkerComplete(FrontEnd& front_end, Time now) {
  Marker marker;
  if (std::string bad = Decode(front_end.load.bytes, marker); !bad.empty()) {
    return RefuseLoad(front_end, bad);
  }
  if (marker.mode == MarkerMode::kStateless) {
    front_end.load.stage = Load::Stage::kEnd;
    return;
  }
  if (begun_) return RefuseLoad(front_end, "there is a session already that a load would destroy");
  const std::string why = hand_over_.Load(now, front_end.inode, session_, front_end.load.bytes);
  if (!why.empty()) return RefuseLoad(front_end, why);
  ++revision_;
  front_end.load.stage = Load::Stage::kForwarded;
  // A back-end reads it to its end, and waits for it.
  const int pipe = front_end.load.pipe.get();
  fcntl(pipe, F_SETFL, fcntl(pipe, F_GETFL) & ~O_NONBLOCK);
  Message load = Message::Make(kSetDeviceStateFd, DeviceStateFd{DeviceStateFd::kLoad, 0});
  load.Add(std::move(front_end.load.pipe));
  back_end_->Ask(std::move(load), [this, id = front_end.id](const Message* answer) {
    FrontEnd* const loader = Find(id);
    if (loader != nullptr && !StateMoved(answer)) loader->load.failed = true;
  });
}

// Who could not load has nothing to start with.
void Session::CheckForwardedLoad(FrontEnd& front_end) {
  back_end_->Ask(Message::Make(kCheckDeviceState),
                 [this, id = front_end.id](const Message* answer) {
                   FrontEnd* const loader = Find(id);
                   if (loader == nullptr || answer == nullptr) return;
                   const bool good = StateMoved(answer) && !loader->load.failed;
                   if (!good) {
                     hand_over_.Gone(loader->inode);
                     RefuseLoad(*loader, "the back-end could not load its state");
                     loader->load.stage = Load::Stage::kNone;
                   }
                   AnswerU64(*loader, good ? 0 : 1);
                 });
}

void Session::CheckDeviceState(FrontEnd& front_end, Time now) {
  GoOnLoading(front_end, now);
  Load& load = front_end.load;
  switch (std::exchange(load.stage, Load::Stage::kNone)) {
    case Load::Stage::kNone:
      if (front_end.save_forwarded) {
        return Forward(front_end, Message::Make(kCheckDeviceState));
      }
      return AnswerU64(front_end, front_end.save_result);
    case Load::Stage::kMarker:
      RefuseLoad(front_end, "the state is shorter than a marker");
      return AnswerU64(front_end, 1);
    case Load::Stage::kForwarded:
      return CheckForwardedLoad(front_end);
    case Load::Stage::kRefused:
      return AnswerU64(front_end, 1);
    case Load::Stage::kEnd:
      break;
  }
  std::string why = load.pipe.valid() ? "the end of the state did not come"
                                      : hand_over_.Load(now, front_end.inode, session_, load.bytes);
  if (!why.empty()) {
    RefuseLoad(front_end, why);
    return AnswerU64(front_end, 1);
  }
  ++revision_;
  Log(Level::kInfo, "front-end " + std::to_string(front_end.id) + " has presented the marker");
  AnswerU64(front_end, 0);
}

}  // namespace vuf::keeper
