/* One migration from one host to another: both agents. Both QEMUs, the network, and what goes wrong are
 * in two_hosts_world.pml. The source's agent coordinates; its journal is the only place of decision.
 * docs/migration-protocol.md tells the same in words; check.py says for what it is checked. Each BUG_...
 * plants a defect that the check must find.
 *
 * A message is a flag: sent, and not received yet. It may be lost, received twice, late and in any
 * order, but not while the link is cut. Whoever waits for an answer sends again when neither its
 * message nor the answer is under way: that is what a repeated call with a deadline comes to.
 *
 * Left out: people who resume a QEMU by hand, a monitor that is silent for longer than the settle
 * time-out, RecheckReservation (it only adds ways back), and time: a lease may be over and a time-out
 * may come at every step.
 */

#include "two_hosts_world.pml"

inline ReturnToSource() {
  do
  :: atomic { source == gone -> break }
  :: atomic { source != gone && (status == copying || status == pre_switchover) ->
       status = cancelled; source = running }
  :: source == running && status != copying -> break
  :: atomic { source == postmigrate -> source_permit = false; source = running }
  /* Otherwise it is at `device`: that ends by itself. */
  od
}

active proctype SourceAgent() {
start:
  { /* What a start finds. */
    if
    :: written == EVALUATING -> WRITTEN(EVALUATING, FAILED)
    :: written == PREPARING || written == TRANSFERRING -> goto go_back
    :: written == COMMITTED ->
#ifdef BUG_RESUME_AFTER_COMMIT
         atomic { if :: source == postmigrate -> source = running :: else fi };
#endif
         goto say_commit
    :: else
    fi;

idle:
    atomic { written == UNSPECIFIED -> WRITTEN(UNSPECIFIED, EVALUATING) };
    /* In the journal before anything is reserved: what is not known here was never committed. */
    WRITTEN(EVALUATING, PREPARING);
    reserve = true;
    do
    :: atomic { link && reserved -> RECEIVED(reserved); break }
    :: atomic { link && refused -> RECEIVED(refused); goto go_back }
    :: !reserve && !reserved && !refused -> reserve = true
    :: goto go_back
    od;
    atomic { if :: source != gone -> source_permit = true :: goto go_back fi };
    WRITTEN(PREPARING, TRANSFERRING);
    atomic { if
    :: source == running && destination == inmigrate && link -> status = copying
    :: goto go_back
    fi };
    if
    :: status == pre_switchover
    :: goto go_back
    fi;
    SHOWN(TRANSFERRING, SWITCHING_OVER);
    atomic { if
    :: status == pre_switchover && source != gone -> status = device
    :: goto go_back
    fi };
    if
    :: status == completed
    :: goto go_back
    fi;
    promise = true;
    do
    :: atomic { link && promised -> RECEIVED(promised); break }
    :: atomic { link && promise_refused -> RECEIVED(promise_refused); goto go_back }
    :: !promise && !promised && !promise_refused -> promise = true
#ifndef BUG_NO_TIME_OUT
    :: goto go_back
#endif
    od;
#ifdef BUG_COMMIT_BEFORE_JOURNAL
    commit = true;
#endif
    atomic { WRITTEN(SWITCHING_OVER, COMMITTED); ever_committed = true };

say_commit: /* Until it is acknowledged. */
    commit = true;
    do
    :: atomic { link && commit_done -> RECEIVED(commit_done); break }
#ifdef BUG_RESEND_BLINDLY
    :: commit = true
#elif !defined(BUG_COMMIT_ONCE)
    :: !commit && !commit_done -> commit = true
#endif
    od;
    source_permit = false;
    WRITTEN(COMMITTED, SUCCEEDED);
    goto idle;

go_back: /* The guest first: the destination never runs without Commit. */
    aborting = true;
    ReturnToSource();
#ifndef BUG_NO_DISARM
    source_permit = false;
#endif
    abort = true;
#ifndef BUG_ABORT_ONCE
    do
    :: atomic { link && abort_done -> RECEIVED(abort_done); break }
    :: !abort && !abort_done -> abort = true
    od;
#endif
    atomic { if
    :: shown == PREPARING -> WRITTEN(PREPARING, FAILED)
    :: shown == TRANSFERRING && source != gone -> WRITTEN(TRANSFERRING, FAILED)
    :: shown == TRANSFERRING && source == gone -> WRITTEN(TRANSFERRING, INTERRUPTED)
    :: shown == SWITCHING_OVER -> WRITTEN(SWITCHING_OVER, FAILED)
    fi };
    goto idle
  } unless {
    atomic { source_crash -> source_crash = false; aborting = false; shown = written };
    goto start
  }
}

/* QueryOutcome. Undecided is no answer. */
active proctype SourceAnswers() {
  do
  :: atomic { link && query && !source_crash && (written == COMMITTED || written == SUCCEEDED) ->
       RECEIVED(query); answer_committed = true }
#ifdef BUG_UNDECIDED_IS_ABORTED
  :: atomic { link && query && !source_crash && written != COMMITTED && written != SUCCEEDED ->
#else
  :: atomic { link && query && !source_crash && written != COMMITTED && written != SUCCEEDED &&
              (aborting || IS_FINAL(written) || written == UNSPECIFIED) ->
#endif
       RECEIVED(query); answer_aborted = true }
  od
}

inline Release() {
  if
  :: reservation == R_RESERVED -> RESERVATION(RESERVED, RELEASED)
  :: reservation == R_PROMISED -> RESERVATION(PROMISED, RELEASED)
  fi
}

active proctype DestinationAgent() {
start:
  {
    do
    /* Reserve */
    :: atomic { link && reserve && reservation == R_UNSPECIFIED && destination == inmigrate ->
         RECEIVED(reserve); RESERVATION(UNSPECIFIED, RESERVED); destination_permit = true };
         reserved = true
    :: atomic { link && reserve && reservation == R_RESERVED -> RECEIVED(reserve); reserved = true }
    :: atomic { link && reserve && (reservation == R_RELEASED || destination == gone) ->
         RECEIVED(reserve); refused = true }
    :: atomic { link && reserve && reservation != R_UNSPECIFIED && reservation != R_RESERVED &&
                reservation != R_RELEASED -> RECEIVED(reserve) }
    /* The lease is over; the QEMU is gone. */
    :: atomic { reservation == R_RESERVED -> RESERVATION(RESERVED, RELEASED) }
#ifdef BUG_LEASE_FREES_PROMISED
    :: atomic { reservation == R_PROMISED -> RESERVATION(PROMISED, RELEASED) }
#endif
    /* Promise: answered when the QEMU has everything. */
    :: atomic { link && promise && reservation == R_RESERVED && destination == paused ->
         RECEIVED(promise); RESERVATION(RESERVED, PROMISED) };
         promised = true
    :: atomic { link && promise && reservation == R_PROMISED -> RECEIVED(promise); promised = true }
    :: atomic { link && promise && (reservation == R_RELEASED || reservation == R_UNSPECIFIED) ->
         RECEIVED(promise);
#ifndef BUG_NO_TIME_OUT
         promise_refused = true
#endif
       }
    :: atomic { link && promise && (reservation == R_COMMITTED || reservation == R_DONE) ->
         RECEIVED(promise) }
    /* Commit */
    :: atomic { link && commit && reservation == R_PROMISED ->
         RECEIVED(commit); RESERVATION(PROMISED, COMMITTED) };
         commit_done = true
    :: atomic { link && commit && (reservation == R_COMMITTED || reservation == R_DONE) ->
         RECEIVED(commit); commit_done = true }
    /* It is refused, and there is no way on: the protocol must never come here. */
#ifdef BUG_COMMIT_ANYWAY
    :: atomic { link && commit && reservation == R_RELEASED -> RECEIVED(commit); commit_done = true }
    :: atomic { reservation == R_PROMISED -> RESERVATION(PROMISED, RELEASED) }
#endif
    :: atomic { link && commit && reservation != R_UNSPECIFIED && (reservation == R_RELEASED || reservation == R_RESERVED) ->
         PROPERTY(promise_is_kept, false) }
    /* Abort; of one that is not known, no record is made. */
    :: atomic { link && abort && (reservation == R_RESERVED || reservation == R_PROMISED) ->
         RECEIVED(abort); Release() };
         abort_done = true
    :: atomic { link && abort && (reservation == R_RELEASED || reservation == R_UNSPECIFIED) ->
         RECEIVED(abort); abort_done = true }
    :: atomic { link && abort && (reservation == R_COMMITTED || reservation == R_DONE) ->
         PROPERTY(promise_is_kept, false) }
    /* Nothing is heard any more, or a restart: the source is asked. */
#ifndef BUG_NO_QUERY
    :: reservation == R_PROMISED && !query && !answer_committed && !answer_aborted && !promised &&
       !commit && !abort -> query = true
#endif
    :: atomic { link && answer_committed -> RECEIVED(answer_committed);
         if :: reservation == R_PROMISED -> RESERVATION(PROMISED, COMMITTED) :: else fi }
    :: atomic { link && answer_aborted -> RECEIVED(answer_aborted);
         if :: reservation == R_RESERVED || reservation == R_PROMISED -> Release() :: else fi }
#ifdef BUG_RUN_ON_PROMISE
    :: atomic { reservation == R_PROMISED && !link && destination == paused -> destination = running }
#endif
    /* What follows what is written, also after a restart. */
    :: atomic { reservation == R_COMMITTED && destination == paused -> destination = running }
    :: atomic { reservation == R_COMMITTED && (destination == running || destination == gone) ->
         destination_permit = false; RESERVATION(COMMITTED, DONE) }
    :: atomic { reservation == R_RELEASED && destination != gone -> destination = gone }
    :: atomic { reservation == R_RELEASED && destination_permit -> destination_permit = false }
    od
  } unless {
    atomic { destination_crash -> destination_crash = false };
    goto start
  }
}
