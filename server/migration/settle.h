// Settles the migrations that a previous run of vufd left under way.
#ifndef VUFD_SERVER_MIGRATION_SETTLE_H_
#define VUFD_SERVER_MIGRATION_SETTLE_H_

#include "server/migration/run.h"

namespace vuf {

// Ends every unfinished migration of the ledger, all at the same time, within about
// parts.settle_timeout. Only the very QEMU processes that the record names are talked to. The
// record and both monitors decide:
//   EVALUATING, PREPARING   nothing was begun: FAILED.
//   TRANSFERRING            cancelled if QEMU is still at it; the source has the guest: FAILED.
//                           A source that has handed over is resumed when keepers prove that the
//                           destination never ran (FAILED); otherwise INTERRUPTED, for no commit
//                           was written.
//   AWAITING_DESTINATION    not here: SequentialLoad goes on with it.
//   COMMITTED               the destination runs: SUCCEEDED. It waits with the complete state while
//                           the source is seen stopped after its hand-over: resumed, SUCCEEDED.
//   anything unclear        INTERRUPTED, with what to look at.
// Permits are taken back where the guest is at the source, the old drivers are fenced once more
// before a committed destination is resumed, and an INTERRUPTED migration's stay and are named.
// Without that proof the source is never told to `cont` here.
void SettleUnfinished(const RunParts& parts);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_SETTLE_H_
