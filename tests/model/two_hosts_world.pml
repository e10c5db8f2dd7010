/* What the agents of two_hosts.pml work with, what goes wrong there, and what must hold. */
/* Migration.State and Reservation.State */
mtype:state = { UNSPECIFIED, EVALUATING, PREPARING, TRANSFERRING, SWITCHING_OVER, COMMITTED,
                SUCCEEDED, FAILED, INTERRUPTED };
mtype:reservation = { R_UNSPECIFIED, R_RESERVED, R_PROMISED, R_COMMITTED, R_DONE, R_RELEASED };
/* QEMU's RunState; the source's MigrationStatus (copying is `active`). */
mtype:guest = { running, finish_migrate, postmigrate, inmigrate, paused, gone };
mtype:status = { no_status, copying, pre_switchover, device, completed, failed, cancelled };

/* On the source's disk, in its agent's memory, on the destination's disk. */
mtype:state written = UNSPECIFIED;
mtype:state shown = UNSPECIFIED;
mtype:reservation reservation = R_UNSPECIFIED;
/* The source's agent will never commit. */
bool aborting = false;

mtype:guest source = running;
mtype:status status = no_status;
mtype:guest destination = inmigrate;
/* At the keepers of either side. */
bool source_permit = false;
bool destination_permit = false;

bool link = true;
bool reserve = false, reserved = false, refused = false;
bool promise = false, promised = false, promise_refused = false;
bool commit = false, commit_done = false;
bool abort = false, abort_done = false;
bool query = false, answer_committed = false, answer_aborted = false;

/* For the properties: who died (and was not told to quit). */
bool source_died = false;
bool destination_died = false;
bool ever_committed = false;

/* So many things go wrong, of any kind. */
#ifndef FAULTS
#define FAULTS 3
#endif
byte faults = FAULTS;
bool source_crash = false;
bool destination_crash = false;

#define IS_FINAL(s) (s == SUCCEEDED || s == FAILED || s == INTERRUPTED)

/* One name for each property, so that a violation says which. */
#define PROPERTY(name, holds) assert(name || (holds))
bool in_the_table = false, promise_is_kept = false, never_two_run = false, ends = false, one_runs = false, no_permit_left = false;

/* Every change of state is one of these. check.py compares them with transitions.inc. */
inline WRITTEN(from, to) {
  d_step { PROPERTY(in_the_table, shown == from && !IS_FINAL(written)); written = to; shown = to }
}
inline SHOWN(from, to) { d_step { PROPERTY(in_the_table, shown == from && !IS_FINAL(to)); shown = to } }
#define RESERVATION(from, to) d_step { PROPERTY(in_the_table, reservation == R_##from); reservation = R_##to }

/* Once, or one more time. */
inline RECEIVED(message) {
  if
  :: message = false
  :: faults > 0 -> faults--
  fi
}

active proctype Source() {
  do
  :: atomic { source == running && status == copying && link && destination != gone ->
       status = pre_switchover; source = finish_migrate }
  :: atomic { source == running && status == copying && (!link || destination == gone) ->
       status = failed }
  :: atomic { source == finish_migrate && status == device ->
       if
       :: destination == inmigrate && link -> destination = paused
       :: destination == paused && link -> status = completed; source = postmigrate
       /* It fails, also when the destination has everything: the guest runs on at once. */
       :: status = failed; source = running
       fi }
  od
}

active proctype World() {
  do
  :: atomic { faults > 0 && !source_crash -> faults--; source_crash = true }
  :: atomic { faults > 0 && !destination_crash ->
       faults--; destination_crash = true }
  :: atomic { link && faults > 0 -> faults--; link = false }
  :: atomic { faults > 0 && source != gone -> faults--; source = gone;
       source_died = !ever_committed; source_permit = false }
  :: atomic { faults > 0 && destination != gone -> faults--; destination = gone;
       destination_died = true }
  :: atomic { faults > 0 && reserve -> faults--; reserve = false }
  :: atomic { faults > 0 && reserved -> faults--; reserved = false }
  :: atomic { faults > 0 && refused -> faults--; refused = false }
  :: atomic { faults > 0 && promise -> faults--; promise = false }
  :: atomic { faults > 0 && promised -> faults--; promised = false }
  :: atomic { faults > 0 && promise_refused -> faults--; promise_refused = false }
  :: atomic { faults > 0 && commit -> faults--; commit = false }
  :: atomic { faults > 0 && commit_done -> faults--; commit_done = false }
  :: atomic { faults > 0 && abort -> faults--; abort = false }
  :: atomic { faults > 0 && abort_done -> faults--; abort_done = false }
  :: atomic { faults > 0 && query -> faults--; query = false }
  :: atomic { faults > 0 && answer_committed -> faults--; answer_committed = false }
  :: atomic { faults > 0 && answer_aborted -> faults--; answer_aborted = false }
  :: atomic { link -> break }
  :: atomic { !link -> link = true }
  od
}

#define RUNNING ((source == running) + (destination == running))
/* The QEMU that the guest belonged to. */
#define OWNER_DIED (source_died || (ever_committed && destination_died))

/* Never two, at any moment. */
active proctype NeverTwo() {
  atomic { RUNNING > 1 -> PROPERTY(never_two_run, false) }
}

/* When nothing moves any more. */
active proctype AtRest() {
  timeout;
  PROPERTY(ends, link && IS_FINAL(written) && (reservation == R_UNSPECIFIED ||
                 reservation == R_DONE || reservation == R_RELEASED));
  PROPERTY(one_runs, RUNNING == 1 || OWNER_DIED);
  PROPERTY(no_permit_left, !source_permit && !destination_permit)
}
