/* One migration on one host, as server/migration has it: the agent. Both QEMUs, one keeper, the store,
 * and what goes wrong are in one_host_world.pml. docs/migration-protocol.md tells the same in words;
 * check.py says for what it is checked.
 *
 * FORM: 0 without keepers, 1 with a keeper that has both QEMUs, 2 sequential (with a keeper).
 * Each BUG_... plants a defect that the check must find.
 *
 * Left out: people who resume a QEMU by hand, a monitor that is silent for longer than the settle
 * time-out, what a permit's ttl ends, and time: a time-out may come at every step.
 */
#include "one_host_world.pml"

/* return_to_source.cc. `may_resume` is looked at when the source stands at postmigrate. */
inline ReturnToSource(may_resume) {
  do
  :: atomic { source == gone -> back_unknown = true; break }
  :: atomic { source != gone && (status == copying || status == pre_switchover) ->
       status = cancelled; SourceRuns() }
  :: source == running && status != copying -> break
  :: atomic { source == postmigrate && !(may_resume) -> handed = true; break }
  :: source == postmigrate && (may_resume) ->
       atomic { if :: SEQUENTIAL :: else -> DestinationGoes() fi };
#ifndef BUG_RESUME_FENCED
       permit = no_permit;
#endif
       atomic { if :: source == postmigrate -> SourceRuns() :: else fi }
  /* Otherwise it is at `device`: that ends by itself. */
  od
}

active proctype Agent() {
  bool back_unknown;
  bool handed;
  bool may_resume;
start:
  { /* What a start finds: settle.cc. */
    back_unknown = false; handed = false; may_resume = false;
    if
    :: atomic { written == EVALUATING ->
         /* Of a guest in a file, somebody asks again. */
         asked = ever_saved;
         WRITTEN(EVALUATING, FAILED) }
    :: written == PREPARING ->
         capability = false;
         permit = no_permit;
         WRITTEN(PREPARING, FAILED)
    :: written == TRANSFERRING -> goto settle_uncommitted
    :: written == COMMITTED -> goto settle_committed
    :: written == AWAITING_DESTINATION -> goto load
    :: else
    fi;

idle: /* migrator.cc */
    atomic { asked -> settling = false; asked = false; stop = false; committing = false; outgoing = false;
             written = UNSPECIFIED; shown = UNSPECIFIED;
             WRITTEN(UNSPECIFIED, EVALUATING) };
    if :: ever_saved -> goto take_up :: else fi;

    /* run.cc: Evaluate */
    atomic { if
    :: shown == EVALUATING -> WRITTEN(EVALUATING, REFUSED); goto idle
    :: shown == CANCELLING -> WRITTEN(CANCELLING, REFUSED); goto idle
    :: goto go_back
    :: !stop -> WRITTEN(EVALUATING, PREPARING)
    fi };
    /* Prepare */
    atomic { if :: source != gone -> capability = true :: goto go_back fi };
    atomic { if :: KEPT && source != gone -> permit = armed :: !KEPT :: goto go_back fi };
    atomic { if :: !stop -> WRITTEN(PREPARING, TRANSFERRING) :: goto go_back fi };
    /* Transfer; its answer may be lost */
    outgoing = true;
    atomic { if
    :: source == running && (SEQUENTIAL || destination == inmigrate) -> status = copying
    :: source == running && (SEQUENTIAL || destination == inmigrate) -> status = copying; goto go_back
    :: goto go_back
    fi };
    if
    :: status == pre_switchover
#ifndef BUG_WAIT_FOR_ONE_EVENT
    :: source == gone -> goto without_source
    :: goto go_back
#endif
    fi;
    /* SwitchOver */
    atomic { if
    :: shown == TRANSFERRING -> SHOWN(TRANSFERRING, SWITCHING_OVER)
    :: goto go_back
    fi };
    atomic { if
    :: status == pre_switchover && source != gone -> status = device
    :: goto go_back
    fi };
    /* Confirm, ConfirmSaved */
    if
    :: status == completed && source != gone && !SEQUENTIAL && destination == paused
    :: status == completed && SEQUENTIAL && permit == saved -> goto commit_to_file
    :: source == gone -> goto without_source
    :: goto go_back
    fi;

fence: /* run_end.cc */
    atomic { if
    :: permit == loaded -> permit = fenced
    :: !KEPT
    :: goto go_back
    fi };
    atomic { if :: !stop -> committing = true :: else -> goto go_back fi };
    atomic { if
    :: shown == SWITCHING_OVER -> WRITTEN(SWITCHING_OVER, COMMITTED); ever_committed = true
    :: shown == TRANSFERRING -> WRITTEN(TRANSFERRING, COMMITTED); ever_committed = true
    /* Reported as failed; it may be on the disk all the same. */
    :: may_fail_to_write -> may_fail_to_write = false; goto go_back
    :: may_fail_to_write -> may_fail_to_write = false; written = COMMITTED; ever_committed = true;
         odd_write = true; goto go_back
    fi };

hand_over: /* hand_over.cc: `cont` until it is seen running */
    do
    :: destination == running -> break
    :: destination == gone ->
#ifndef BUG_START_FOREVER
         WRITTEN(COMMITTED, FAILED); goto idle
#else
         skip
#endif
    :: atomic { destination == paused -> DestinationRuns() }
    :: atomic { destination == paused && may_lose_an_answer -> may_lose_an_answer = false;
                DestinationRuns();
#ifdef BUG_RESUME_AFTER_COMMIT
                source = (source == postmigrate -> running : source);
#endif
                skip }
    od;
    atomic { if :: source == postmigrate -> source = gone :: skip fi };
    capability = false;
    WRITTEN(COMMITTED, SUCCEEDED);
    goto idle;

without_source: /* run_end.cc: GoOnWithoutSource; the keeper has lost its connection too */
    if
    :: SEQUENTIAL && permit == saved && status == completed -> goto commit_to_file
    :: KEPT && !SEQUENTIAL && permit == loaded && destination == paused -> goto fence
    :: else
    fi;

go_back: /* run_end.cc: GoBack */
    back_unknown = (source == gone);
    if :: outgoing -> ReturnToSource(true) :: else fi;
#ifndef BUG_NO_DISARM
    if :: !back_unknown -> permit = no_permit :: else fi;
#endif
    if :: !back_unknown -> capability = false :: else fi;
    atomic { if
    :: shown == EVALUATING && stop && !back_unknown -> WRITTEN(EVALUATING, CANCELLED)
    :: shown == PREPARING && stop && !back_unknown -> WRITTEN(PREPARING, CANCELLED)
    :: shown == TRANSFERRING && stop && !back_unknown -> WRITTEN(TRANSFERRING, CANCELLED)
    :: shown == SWITCHING_OVER && stop && !back_unknown -> WRITTEN(SWITCHING_OVER, CANCELLED)
    :: shown == CANCELLING && !back_unknown -> WRITTEN(CANCELLING, CANCELLED)
    :: shown == EVALUATING && (!stop || back_unknown) -> WRITTEN(EVALUATING, FAILED)
    :: shown == PREPARING && (!stop || back_unknown) -> WRITTEN(PREPARING, FAILED)
    :: shown == TRANSFERRING && (!stop || back_unknown) -> WRITTEN(TRANSFERRING, FAILED)
    :: shown == SWITCHING_OVER && (!stop || back_unknown) -> WRITTEN(SWITCHING_OVER, FAILED)
    :: shown == CANCELLING && back_unknown -> WRITTEN(CANCELLING, FAILED)
    fi };
    goto idle;

settle_uncommitted:
    /* A keeper proves that the destination never ran: its permit was not used. */
#ifdef BUG_LOOK_TOO_EARLY
    may_resume = KEPT && (permit == loaded || permit == fenced);
    ReturnToSource(may_resume);
#elif defined(BUG_ONLY_IN_FORCE)
    ReturnToSource((KEPT && permit != no_permit && permit != handed_over));
#else
    ReturnToSource((KEPT && permit != handed_over));
#endif
    if
    :: back_unknown || handed -> WRITTEN(TRANSFERRING, INTERRUPTED)
    :: else ->
         permit = no_permit;
#ifndef BUG_NO_SETTINGS_BACK
         capability = false;
#endif
         WRITTEN(TRANSFERRING, FAILED)
    fi;
    goto idle;

settle_committed:
    if
    :: destination == running -> WRITTEN(COMMITTED, SUCCEEDED); goto idle
    /* Only a source that is out lets it be resumed: it may have gone on after a commit whose write
     * was reported as failed. That one is gone says it only where a keeper says the rest. */
#ifdef BUG_SOURCE_MUST_ANSWER
    :: destination == paused && (source == postmigrate || (SEQUENTIAL && source == gone)) ->
#else
    :: destination == paused && (source == postmigrate || (KEPT && source == gone)) ->
#endif
         atomic { if
         :: permit == loaded || permit == fenced -> permit = fenced; goto hand_over
         :: !KEPT -> goto hand_over
         :: else
         fi };
         WRITTEN(COMMITTED, INTERRUPTED)
    :: else -> WRITTEN(COMMITTED, INTERRUPTED)
    fi;
    goto idle;

take_up: /* migrator.cc: TakeUp */
    atomic { if
    :: shown == EVALUATING && !stop -> committing = true; WRITTEN(EVALUATING, AWAITING_DESTINATION)
    :: shown == CANCELLING -> asked = true; WRITTEN(CANCELLING, FAILED); goto idle
    :: shown == EVALUATING && stop -> asked = true; WRITTEN(EVALUATING, FAILED); goto idle
    fi };
    goto load;

commit_to_file: /* run_sequential.cc */
    atomic { if :: !stop -> committing = true :: else -> goto go_back fi };
    atomic { if
    :: shown == SWITCHING_OVER -> WRITTEN(SWITCHING_OVER, AWAITING_DESTINATION); ever_saved = true
    :: shown == TRANSFERRING -> goto go_back
    fi };

load: /* sequential_load.cc */
    do
    :: atomic { source == postmigrate -> source = gone }
    :: source == gone && destination == inmigrate && permit == saved ->
         atomic { if
         :: destination == inmigrate -> destination = paused; permit = loaded
         :: load_failures > 0 -> load_failures--; destination = gone
         :: destination == gone
         fi }
    :: source == gone && destination == paused ->
         atomic { if
         :: permit == loaded || permit == fenced -> permit = fenced
         :: else -> DestinationGoes()
         fi };
         atomic { if
         :: destination == paused -> WRITTEN(AWAITING_DESTINATION, COMMITTED);
              ever_committed = true; goto hand_over
         :: else
         fi }
    :: atomic { source == gone && may_time_out -> may_time_out = false; asked = true;
                WRITTEN(AWAITING_DESTINATION, FAILED); goto idle }
    od
  } unless {
    atomic {
      crash -> crash = false; committing = false; stop = false; outgoing = false;
      settling = true;
      /* What was only shown is lost. */
      shown = written
    };
    goto start
  }
}
