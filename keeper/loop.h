// Runs a session: waits for whatever happens next, and lets session and control service do it.
#ifndef VUFD_KEEPER_LOOP_H_
#define VUFD_KEEPER_LOOP_H_

#include "keeper/back_end_process.h"
#include "keeper/control.h"
#include "keeper/session.h"
#include "keeper/sockets.h"

namespace vuf::keeper {

struct LoopParts {
  Session* session;
  Control* control;
  Listener* endpoint;
  BackEndProcess* process;
  // A signalfd of SIGTERM, SIGINT and SIGCHLD, which are blocked.
  int signals;
};

// Until the session is over or a signal asks for the end. Returns why.
End RunLoop(const LoopParts& parts);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_LOOP_H_
