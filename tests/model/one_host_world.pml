/* What the agent of one_host.pml works with, what goes wrong there, and what must hold. */
#define KEPT (FORM > 0)
#define SEQUENTIAL (FORM == 2)

/* Migration.State */
mtype:state = { UNSPECIFIED, EVALUATING, PREPARING, TRANSFERRING, SWITCHING_OVER, COMMITTED,
                SUCCEEDED, REFUSED, FAILED, CANCELLING, CANCELLED, INTERRUPTED,
                AWAITING_DESTINATION };
/* QEMU's RunState; the source's MigrationStatus (copying is `active`); the hand-over at the keeper. */
mtype:guest = { running, finish_migrate, postmigrate, inmigrate, paused, gone };
mtype:status = { no_status, copying, pre_switchover, device, completed, failed, cancelled };
mtype:permit = { no_permit, armed, saved, loaded, fenced, handed_over };

/* On the disk; in the agent's memory. */
mtype:state written = UNSPECIFIED;
mtype:state shown = UNSPECIFIED;
bool committing = false;
bool stop = false;
bool outgoing = false;
/* Before READY: nothing is begun or cancelled. */
bool settling = true;

mtype:guest source = running;
mtype:status status = no_status;
mtype:guest destination = (SEQUENTIAL -> gone : inmigrate);
mtype:permit permit = no_permit;
/* pause-before-switchover at the source. */
bool capability = false;
/* A migration is wanted. */
bool asked = true;
/* For the properties: once on the disk; who died (and was not told to quit); COMMITTED is on the disk
 * though the store said that it is not. */
bool ever_committed = false;
bool ever_saved = false;
bool source_died_with_it = false;
bool destination_died = false;
bool odd_write = false;

/* No more than this goes wrong. */
byte crashes = 2;
byte deaths = 1;
byte load_failures = 1;
bool may_cancel = true;
bool may_lose_an_answer = true;
bool may_fail_to_write = true;
bool may_time_out = SEQUENTIAL;
bool crash = false;

#define IS_FINAL(s) (s == SUCCEEDED || s == REFUSED || s == FAILED || s == CANCELLED || s == INTERRUPTED)

#ifdef BUG_CANCEL_WHILE_SETTLING
#define MAY_CHANGE true
#else
#define MAY_CHANGE (!settling)
#endif

/* One name for each property, so that a violation says which. */
#define PROPERTY(name, holds) assert(name || (holds))
bool in_the_table = false, has_its_file_system = false, never_two_run = false, ends = false, one_runs = false, no_permit_left = false, no_capability_left = false;

/* Every change of state is one of these. check.py compares them with transitions.inc. */
inline WRITTEN(from, to) {
  d_step { PROPERTY(in_the_table, shown == from && !IS_FINAL(written)); written = to; shown = to }
}
inline SHOWN(from, to) { d_step { PROPERTY(in_the_table, shown == from && !IS_FINAL(to)); shown = to } }

/* The source runs on. Its keeper takes a marker back that nobody has used, but not past a fence. */
inline SourceRuns() {
  PROPERTY(has_its_file_system, permit != fenced && permit != handed_over);
  source = running;
  permit = (permit == saved || permit == loaded -> armed : permit)
}
inline DestinationRuns() {
  destination = running;
  permit = (permit == no_permit -> no_permit : handed_over)
}
inline DestinationGoes() {
  destination = gone;
  if
  :: permit == loaded || (permit == fenced && SEQUENTIAL && !ever_committed) -> permit = saved
  :: else
  fi
}

active proctype Source() {
  do
  :: atomic { source == running && status == copying && (SEQUENTIAL || destination != gone) ->
       status = pre_switchover; source = finish_migrate }
  :: atomic { source == running && status == copying && !SEQUENTIAL && destination == gone -> status = failed }
  :: atomic { source == finish_migrate && status == device ->
       if
       /* The destination has all of it; or the file has. */
       :: SEQUENTIAL -> status = completed; source = postmigrate; permit = saved
       :: !SEQUENTIAL && destination == inmigrate ->
            destination = paused; permit = (permit == armed -> loaded : permit)
       :: !SEQUENTIAL && destination == paused -> status = completed; source = postmigrate
       /* It fails, and QEMU has the guest run on at once. */
       :: status = failed; SourceRuns()
       fi }
  od
}

/* What begins, ends or calls from outside. */
active proctype World() {
  do
  :: atomic { crashes > 0 && !crash -> crashes--; crash = true }
  /* A keeper ends with its driver, unless a saved marker is outstanding. */
  :: atomic { deaths > 0 && source != gone -> deaths--; source = gone;
       source_died_with_it = (!ever_committed && !ever_saved) || odd_write;
       permit = (permit == armed -> no_permit : permit) }
  :: atomic { deaths > 0 && destination != gone -> deaths--; DestinationGoes();
       destination_died = true }
  :: atomic { may_cancel && MAY_CHANGE && !committing && (shown == EVALUATING ||
              shown == PREPARING || shown == TRANSFERRING || shown == SWITCHING_OVER) ->
       may_cancel = false; stop = true;
       if
       :: shown == EVALUATING -> SHOWN(EVALUATING, CANCELLING)
       :: shown == PREPARING -> SHOWN(PREPARING, CANCELLING)
       :: shown == TRANSFERRING -> SHOWN(TRANSFERRING, CANCELLING)
       :: shown == SWITCHING_OVER -> SHOWN(SWITCHING_OVER, CANCELLING)
       :: skip /* vufd stops */
       fi }
  :: break
  od
}

/* Somebody starts a destination for the guest that waits. */
active proctype Starter() {
  do
  :: atomic { SEQUENTIAL && ever_saved && !ever_committed && destination == gone -> destination = inmigrate }
  od
}

#define RUNNING ((source == running) + (destination == running))
/* The QEMU that the guest belonged to. Between the last look at the destination and COMMITTED nobody
 * can know that it is gone. */
#define OWNER_DIED (source_died_with_it || (ever_committed && destination_died))
/* Without a keeper nobody can prove what a person has to look at then. */
#define TOLD (written == INTERRUPTED && (!KEPT || odd_write))

/* Never two, at any moment. */
active proctype NeverTwo() {
  atomic { RUNNING > 1 -> PROPERTY(never_two_run, false) }
}

/* When nothing moves any more. */
active proctype AtRest() {
  timeout;
  PROPERTY(ends, IS_FINAL(written));
  PROPERTY(one_runs, RUNNING == 1 || OWNER_DIED || TOLD);
  PROPERTY(no_permit_left, permit == no_permit || permit == handed_over || OWNER_DIED ||
                           written == INTERRUPTED);
  PROPERTY(no_capability_left, source != running || !capability || written == INTERRUPTED)
}
