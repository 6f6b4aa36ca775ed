/*
 * What every session sees, in shared memory: the snapshot that its running statement goes by.
 *
 * A session publishes before each run of the executor and each utility statement, and takes back what was there when the
 * run ends, so that functions, triggers and cursors (which run statements inside statements, each with a snapshot of its
 * own) are right too. One writer a slot, so a counter that is odd while it writes is enough: nobody waits.
 *
 * Not seen: reads without the executor (a function called by the fast-path protocol, autovacuum's own), and a
 * transaction whose first statement still waits for the lock of a table while it is being parsed.
 */
#include "shim.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

typedef struct LiveSlot
{
    pg_atomic_uint32 changes;   /* odd while it is written */
    int32 pid;                  /* 0: nobody */
    uint32 command;
    uint32 xmin;
    uint32 xmax;
    uint32 count;
    uint32 completion;          /* tells snapshots apart, low half */
    int32 nesting;
    TimestampTz taken;
    bool has_snapshot;
    bool is_current;
    bool suboverflowed;
    bool overflowed;
    uint32 xids[FLEXIBLE_ARRAY_MEMBER];
} LiveSlot;

typedef struct LiveShared
{
    int32 slots;
    int32 xids_max;
    char data[FLEXIBLE_ARRAY_MEMBER];
} LiveShared;

static bool live_enabled = true;
static LiveShared *shared = NULL;

static ExecutorRun_hook_type previous_run = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

/* This session's. */
static LiveSlot *mine = NULL;
static bool is_outside = false;         /* this process has no slot */
static Snapshot published = NULL;       /* what `mine` holds, while the statement that goes by it runs */
static int nesting = 0;
static uint64 transactions_ended = 0;

static Size
slot_size(int xids_max)
{
    return CACHELINEALIGN(offsetof(LiveSlot, xids) + sizeof(uint32) * xids_max);
}

static int
xids_max_here(void)
{
    /* As many as a snapshot can hold (GetMaxSnapshotXidCount), within our own limit. */
    return Min(LIVE_XIDS_MAX, MaxBackends + max_prepared_xacts);
}

static Size
shared_size(void)
{
    return add_size(CACHELINEALIGN(sizeof(LiveShared)) + PG_CACHE_LINE_SIZE, mul_size(MaxBackends, slot_size(xids_max_here())));
}

static LiveSlot *
slot_at(int index)
{
    char *first = (char *) CACHELINEALIGN((uintptr_t) shared->data);

    return (LiveSlot *) (first + slot_size(shared->xids_max) * index);
}

static inline void
begin_write(LiveSlot *slot)
{
    pg_atomic_write_u32(&slot->changes, pg_atomic_read_u32(&slot->changes) + 1);
    pg_write_barrier();
}

static inline void
end_write(LiveSlot *slot)
{
    pg_write_barrier();
    pg_atomic_write_u32(&slot->changes, pg_atomic_read_u32(&slot->changes) + 1);
}

static void
forget(void)
{
    published = NULL;
    transactions_ended++;
    if (mine != NULL && mine->has_snapshot)
    {
        begin_write(mine);
        mine->has_snapshot = false;
        mine->is_current = false;
        mine->nesting = 0;
        end_write(mine);
    }
}

static void
leave(int code, Datum argument)
{
    if (mine == NULL)
        return;
    begin_write(mine);
    mine->pid = 0;
    mine->has_snapshot = false;
    end_write(mine);
    mine = NULL;
    is_outside = true;
}

static void
transaction_event(XactEvent event, void *argument)
{
    switch (event)
    {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PARALLEL_ABORT:
        case XACT_EVENT_PREPARE:
            forget();
            break;
        default:
            /* Before the commit: deferred triggers still run. */
            break;
    }
}

/* Takes this process's slot at its first statement; false where it has none. */
static bool
attach(void)
{
    int index;

    if (mine != NULL)
        return true;
    if (is_outside || shared == NULL || MyProc == NULL)
        return false;
    index = (int) (MyProc - ProcGlobal->allProcs);
    if (index < 0 || index >= shared->slots || !mvcc_layout_fits())
    {
        is_outside = true;
        return false;
    }
    mine = slot_at(index);
    begin_write(mine);
    mine->pid = MyProcPid;
    mine->has_snapshot = false;
    mine->is_current = false;
    mine->nesting = 0;
    end_write(mine);
    RegisterXactCallback(transaction_event, NULL);
    on_shmem_exit(leave, (Datum) 0);
    return true;
}

/* In recovery the running transactions are all among the subtransactions (GetSnapshotData). */
static inline uint32
running(Snapshot snapshot, TransactionId **xids)
{
    if (snapshot->takenDuringRecovery)
    {
        *xids = snapshot->subxip;
        return snapshot->subxcnt > 0 ? snapshot->subxcnt : 0;
    }
    *xids = snapshot->xip;
    return snapshot->xcnt;
}

static void
publish(Snapshot snapshot, CommandId command, bool is_current)
{
    TransactionId *xids;
    uint32 count = running(snapshot, &xids);
    uint32 completion = (uint32) snapshot->snapXactCompletionCount;
    bool is_same = mine->has_snapshot && mine->completion == completion && mine->xmin == snapshot->xmin &&
        mine->xmax == snapshot->xmax && mine->count == count;
    TimestampTz now = is_same ? mine->taken : GetCurrentTimestamp();

    begin_write(mine);
    mine->command = command;
    mine->xmin = snapshot->xmin;
    mine->xmax = snapshot->xmax;
    mine->count = count;
    mine->completion = completion;
    mine->nesting = nesting;
    mine->taken = now;
    mine->suboverflowed = snapshot->suboverflowed;
    mine->overflowed = count > (uint32) shared->xids_max;
    if (!mine->overflowed && count > 0)
        memcpy(mine->xids, xids, sizeof(uint32) * count);
    mine->has_snapshot = true;
    mine->is_current = is_current;
    end_write(mine);
}

/* What a run saw before it, to be put back after it. */
typedef struct Before
{
    Snapshot snapshot;
    uint64 transactions;
} Before;

static inline Before
enter(Snapshot snapshot)
{
    Before before = {published, transactions_ended};

    nesting++;
    if (snapshot != NULL && snapshot->snapshot_type == SNAPSHOT_MVCC)
    {
        published = snapshot;
        publish(snapshot, snapshot->curcid, true);
    }
    return before;
}

static void
withdraw(Before before)
{
    Snapshot last = published;

    nesting--;
    /* A procedure that commits has ended the transaction whose snapshot this was. */
    if (before.transactions != transactions_ended || last == NULL || mine == NULL)
        return;
    published = before.snapshot;
    if (before.snapshot != NULL)
        publish(before.snapshot, before.snapshot->curcid, true);
    else if (IsolationUsesXactSnapshot())
        /* It stays for the whole transaction. Whatever was changed up to here is seen by the next statement. */
        publish(last, GetCurrentCommandId(false) + 1, true);
    else
    {
        begin_write(mine);
        mine->is_current = false;
        mine->nesting = 0;
        end_write(mine);
    }
}

#if PG_VERSION_NUM >= 180000
#define RUN_ARGUMENTS QueryDesc *query, ScanDirection direction, uint64 count
#define RUN_PASSED query, direction, count
#else
#define RUN_ARGUMENTS QueryDesc *query, ScanDirection direction, uint64 count, bool execute_once
#define RUN_PASSED query, direction, count, execute_once
#endif

static inline void
go_on_running(RUN_ARGUMENTS)
{
    if (previous_run)
        previous_run(RUN_PASSED);
    else
        standard_ExecutorRun(RUN_PASSED);
}

static void
run(RUN_ARGUMENTS)
{
    Before before;

    if (!live_enabled || !attach())
    {
        go_on_running(RUN_PASSED);
        return;
    }
    before = enter(query->snapshot);
    PG_TRY();
    {
        go_on_running(RUN_PASSED);
    }
    PG_FINALLY();
    {
        withdraw(before);
    }
    PG_END_TRY();
}

static inline void
go_on_utility(PlannedStmt *statement, const char *text, bool read_only_tree, ProcessUtilityContext context,
              ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
    if (previous_utility)
        previous_utility(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
    else
        standard_ProcessUtility(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
}

static void
utility(PlannedStmt *statement, const char *text, bool read_only_tree, ProcessUtilityContext context,
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
    Before before;

    /* Most have no snapshot (begin, set, lock), and those that run queries come to `run` with theirs. */
    if (!live_enabled || !ActiveSnapshotSet() || !attach())
    {
        go_on_utility(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
        return;
    }
    before = enter(GetActiveSnapshot());
    PG_TRY();
    {
        go_on_utility(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
    }
    PG_FINALLY();
    {
        withdraw(before);
    }
    PG_END_TRY();
}

void
mvcc_live_preload(void)
{
    DefineCustomBoolVariable("mvcc_visualizer.track_snapshots",
                             "Sessions publish the snapshots that their statements go by.", NULL,
                             &live_enabled, true, PGC_SUSET, 0, NULL, NULL, NULL);
    previous_run = ExecutorRun_hook;
    ExecutorRun_hook = run;
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = utility;
}

void
mvcc_live_request(void)
{
    RequestAddinShmemSpace(shared_size());
}

void
mvcc_live_startup(void)
{
    bool is_there;

    shared = ShmemInitStruct("mvcc_visualizer snapshots", shared_size(), &is_there);
    if (is_there)
        return;
    memset(shared, 0, shared_size());
    shared->slots = MaxBackends;
    shared->xids_max = xids_max_here();
    for (int index = 0; index < shared->slots; index++)
        pg_atomic_init_u32(&slot_at(index)->changes, 0);
}

int
mvcc_live_slots(void)
{
    return shared == NULL ? 0 : shared->slots;
}

int
mvcc_live_xids_max(void)
{
    return shared == NULL ? 0 : shared->xids_max;
}

bool
mvcc_live_tracks(void)
{
    return live_enabled;
}

/* Its own transaction and subtransactions, which other sessions may read under this lock (TransactionIdIsInProgress). */
static void
read_own(PGPROC *process, MvccLive *live, uint32 *subxids)
{
    LWLockAcquire(ProcArrayLock, LW_SHARED);
    if (process->pid == live->pid)
    {
        live->own = process->xid;
        live->subxids_count = Min(process->subxidStatus.count, PGPROC_MAX_CACHED_SUBXIDS);
        live->subxids_overflowed = process->subxidStatus.overflowed;
        pg_read_barrier();
        memcpy(subxids, process->subxids.xids, sizeof(uint32) * live->subxids_count);
    }
    else
        live->pid = 0;
    LWLockRelease(ProcArrayLock);
}

/* One look at a slot; whether nothing was written meanwhile. */
static bool
read_slot(int index, MvccLive *live, uint32 *xids, uint32 *subxids)
{
    LiveSlot *slot = slot_at(index);
    uint32 changes = pg_atomic_read_u32(&slot->changes);

    if (changes % 2 == 1)
        return false;
    pg_read_barrier();
    live->pid = slot->pid;
    live->command = slot->command;
    live->xmin = slot->xmin;
    live->xmax = slot->xmax;
    live->count = slot->overflowed || !slot->has_snapshot ? 0 : Min(slot->count, (uint32) shared->xids_max);
    live->nesting = slot->nesting;
    live->taken = slot->taken;
    live->has_snapshot = slot->has_snapshot;
    live->is_current = slot->is_current;
    live->suboverflowed = slot->suboverflowed;
    live->overflowed = slot->has_snapshot && slot->overflowed;
    memcpy(xids, slot->xids, sizeof(uint32) * live->count);
    if (live->pid != 0)
        read_own(&ProcGlobal->allProcs[index], live, subxids);
    pg_read_barrier();
    return pg_atomic_read_u32(&slot->changes) == changes;
}

int
mvcc_live_collect(MvccLive **found)
{
    uint32 xids[LIVE_XIDS_MAX];
    uint32 subxids[PGPROC_MAX_CACHED_SUBXIDS];
    int count = 0;

    if (shared == NULL)
        return -1;
    *found = palloc0(sizeof(MvccLive) * shared->slots);
    for (int index = 0; index < shared->slots; index++)
    {
        MvccLive *live = &(*found)[count];
        bool is_known = false;

        memset(live, 0, sizeof(MvccLive));
        for (int attempt = 0; attempt < READ_TRIES_MAX && !is_known; attempt++)
        {
            CHECK_FOR_INTERRUPTS();
            /* A writer needs less than a microsecond, unless it lost its processor. */
            if (attempt > 10)
                pg_usleep(50);
            memset(live, 0, sizeof(MvccLive));
            is_known = read_slot(index, live, xids, subxids);
        }
        live->is_known = is_known;
        if (!is_known)
            live->pid = slot_at(index)->pid;
        if (live->pid == 0)
            continue;
        if (is_known)
        {
            uint32 *kept = palloc(sizeof(uint32) * (live->count + live->subxids_count + 1));

            memcpy(kept, xids, sizeof(uint32) * live->count);
            memcpy(kept + live->count, subxids, sizeof(uint32) * live->subxids_count);
            live->xids = kept;
            live->subxids = kept + live->count;
        }
        count++;
    }
    return count;
}
