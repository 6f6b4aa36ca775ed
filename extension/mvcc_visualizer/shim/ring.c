/*
 * Every wait of some length, kept: a background worker looks at all sessions every few milliseconds and writes what it
 * finds into a ring in shared memory, which any session reads.
 *
 * A wait is known by the process and the moment it began (PGPROC.waitStart), so the same one is never counted twice and
 * two in a row are told apart. Looking is reading two words a session; the lock manager is asked when a wait begins, and
 * again at its second, fourth, eighth … look, because the queue ahead changes. A wait that is shorter than the interval
 * between looks can be missed.
 */
#include "shim.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define TRANCHE "mvcc_visualizer"
/* After an error of the worker, seconds. */
#define RESTART_S 5

typedef struct RingShared
{
    LWLock *lock;           /* guards all below but worker_pid and looks */
    pg_atomic_uint32 worker_pid;
    pg_atomic_uint64 looks;
    int32 size;
    uint64 waits;           /* begun so far; the number of the last one */
    uint64 changes;         /* made so far */
    MvccWait entries[FLEXIBLE_ARRAY_MEMBER];
} RingShared;

/* What the worker knows of one process. */
typedef struct Known
{
    int32 pid;              /* 0: it did not wait at the last look */
    bool is_safe_snapshot;
    TimestampTz since;
    uint64 wait;
    uint32 looks;
} Known;

static int interval_ms = 5;
static int ring_size = 4096;
static RingShared *ring = NULL;

static Size
shared_size(void)
{
    return add_size(offsetof(RingShared, entries), mul_size(ring_size, sizeof(MvccWait)));
}

void
mvcc_waits_preload(void)
{
    BackgroundWorker worker;

    DefineCustomIntVariable("mvcc_visualizer.wait_interval", "Time between two looks at all sessions' waits.",
                            "0 stops looking.", &interval_ms, 5, 0, 60000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
    DefineCustomIntVariable("mvcc_visualizer.wait_ring_size", "Waits that are kept.", NULL, &ring_size, 4096, 16, 1000000,
                            PGC_POSTMASTER, 0, NULL, NULL, NULL);
    memset(&worker, 0, sizeof(worker));
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
    /* As soon as there are sessions, also on a standby. */
    worker.bgw_start_time = BgWorkerStart_ConsistentState;
    worker.bgw_restart_time = RESTART_S;
    snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "mvcc_visualizer");
    snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "mvcc_wait_worker");
    snprintf(worker.bgw_name, sizeof(worker.bgw_name), "mvcc_visualizer wait recorder");
    snprintf(worker.bgw_type, sizeof(worker.bgw_type), "mvcc_visualizer wait recorder");
    RegisterBackgroundWorker(&worker);
}

void
mvcc_waits_request(void)
{
    RequestAddinShmemSpace(shared_size());
    RequestNamedLWLockTranche(TRANCHE, 1);
}

void
mvcc_waits_startup(void)
{
    bool is_there;

    ring = ShmemInitStruct("mvcc_visualizer waits", shared_size(), &is_there);
    if (is_there)
        return;
    memset(ring, 0, shared_size());
    ring->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
    ring->size = ring_size;
    pg_atomic_init_u32(&ring->worker_pid, 0);
    pg_atomic_init_u64(&ring->looks, 0);
}

bool
mvcc_preloaded(MvccPreloaded *state)
{
    memset(state, 0, sizeof(MvccPreloaded));
    if (ring == NULL)
        return false;
    state->worker_pid = (int32) pg_atomic_read_u32(&ring->worker_pid);
    state->interval_ms = interval_ms;
    state->ring_size = ring->size;
    state->slots = mvcc_live_slots();
    state->xids_max = mvcc_live_xids_max();
    state->tracks_snapshots = mvcc_live_tracks();
    state->looks = pg_atomic_read_u64(&ring->looks);
    LWLockAcquire(ring->lock, LW_SHARED);
    state->waits = ring->waits;
    LWLockRelease(ring->lock);
    return true;
}

static MvccWait *
entry_of(uint64 wait)
{
    MvccWait *entry = &ring->entries[(wait - 1) % ring->size];

    /* Later ones may have taken its place. */
    return entry->wait == wait ? entry : NULL;
}

/* Waits that changed after a given change, in the order of their changes; -1 without a ring. */
int
mvcc_waits_ring(uint64 after, MvccWait **found)
{
    int count = 0;

    if (ring == NULL)
        return -1;
    *found = palloc_extended(sizeof(MvccWait) * ring->size, MCXT_ALLOC_HUGE);
    LWLockAcquire(ring->lock, LW_SHARED);
    if (ring->changes > after)
        for (int at = 0; at < ring->size; at++)
            if (ring->entries[at].change > after)
                (*found)[count++] = ring->entries[at];
    LWLockRelease(ring->lock);
    return count;
}

static void
finish(Known *known, TimestampTz now)
{
    MvccWait *entry;

    LWLockAcquire(ring->lock, LW_EXCLUSIVE);
    entry = entry_of(known->wait);
    if (entry != NULL)
    {
        entry->ended = now;
        entry->change = ++ring->changes;
    }
    LWLockRelease(ring->lock);
    known->pid = 0;
}

/* Asks the lock manager about a wait and notes the answer; false if it was over before the answer came. */
static bool
note(Known *known, MvccWait *wait)
{
    MvccWait *entry = NULL;

    mvcc_wait_look(wait);
    if (!wait->is_safe_snapshot && wait->mode == 0)
        return false;
    LWLockAcquire(ring->lock, LW_EXCLUSIVE);
    if (known->wait == 0)
    {
        known->wait = ++ring->waits;
        entry = &ring->entries[(known->wait - 1) % ring->size];
    }
    else
        entry = entry_of(known->wait);
    if (entry != NULL)
    {
        wait->wait = known->wait;
        wait->since = known->since;
        wait->ended = 0;
        wait->in_cycle = entry->wait == known->wait && entry->in_cycle;
        wait->change = ++ring->changes;
        *entry = *wait;
    }
    LWLockRelease(ring->lock);
    return true;
}

/* Works out anew which of the running waits are part of a cycle. */
static void
mark_cycles(Known *known)
{
    int count = 0;
    MvccWait *copies = palloc(sizeof(MvccWait) * (MaxBackends + 1));
    MvccWait **waits = palloc(sizeof(MvccWait *) * (MaxBackends + 1));

    LWLockAcquire(ring->lock, LW_SHARED);
    for (int index = 0; index < MaxBackends; index++)
    {
        MvccWait *entry = known[index].pid == 0 || known[index].wait == 0 ? NULL : entry_of(known[index].wait);

        if (entry == NULL)
            continue;
        copies[count] = *entry;
        waits[count] = &copies[count];
        count++;
    }
    LWLockRelease(ring->lock);
    if (count < 2)
        return;
    mvcc_wait_mark_cycles(waits, count);
    LWLockAcquire(ring->lock, LW_EXCLUSIVE);
    for (int at = 0; at < count; at++)
    {
        MvccWait *entry = entry_of(waits[at]->wait);

        if (entry != NULL && entry->in_cycle != waits[at]->in_cycle)
        {
            entry->in_cycle = waits[at]->in_cycle;
            entry->change = ++ring->changes;
        }
    }
    LWLockRelease(ring->lock);
}

/* One look at everybody. */
static void
look(Known *known)
{
    bool has_changed = false;
    TimestampTz now = 0;

    for (int index = 0; index < MaxBackends; index++)
    {
        Known *one = &known[index];
        MvccWait wait;
        bool is_waiting;
        bool is_same;

        wait.pid = 0;
        is_waiting = mvcc_wait_of(index, &wait);
        is_same = is_waiting && one->pid == wait.pid && one->is_safe_snapshot == wait.is_safe_snapshot &&
            (wait.is_safe_snapshot || one->since == wait.since);
        if (!is_waiting && one->pid == 0)
            continue;
        if (now == 0)
            now = GetCurrentTimestamp();
        if (one->pid != 0 && !is_same)
        {
            finish(one, now);
            has_changed = true;
        }
        if (!is_waiting)
            continue;
        if (!is_same)
        {
            one->pid = wait.pid;
            one->is_safe_snapshot = wait.is_safe_snapshot;
            one->since = wait.is_safe_snapshot ? now : wait.since;
            one->wait = 0;
            one->looks = 0;
        }
        one->looks++;
        /* The first look, and every power of two. */
        if (one->wait != 0 && (one->looks & (one->looks - 1)) != 0)
            continue;
        memset(&wait.ended, 0, sizeof(MvccWait) - offsetof(MvccWait, ended));
        wait.pid = one->pid;
        wait.is_safe_snapshot = one->is_safe_snapshot;
        if (note(one, &wait))
            has_changed = true;
        else if (one->wait == 0)
            one->pid = 0;
    }
    if (has_changed)
        mark_cycles(known);
    pg_atomic_write_u64(&ring->looks, pg_atomic_read_u64(&ring->looks) + 1);
}

static void
stopped(int code, Datum argument)
{
    pg_atomic_write_u32(&ring->worker_pid, 0);
}

/* What a worker before us left unfinished has no end that anybody saw: it ends now. */
static void
finish_leftovers(void)
{
    TimestampTz now = GetCurrentTimestamp();

    LWLockAcquire(ring->lock, LW_EXCLUSIVE);
    for (int at = 0; at < ring->size; at++)
        if (ring->entries[at].wait != 0 && ring->entries[at].ended == 0)
        {
            ring->entries[at].ended = now;
            ring->entries[at].change = ++ring->changes;
        }
    LWLockRelease(ring->lock);
}

/* The worker's life. Returns when the server stops. */
void
mvcc_waits_work(void)
{
    Known *known;
    MemoryContext scratch;

    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    if (ring == NULL)
        ereport(ERROR, (errmsg("mvcc_visualizer was not preloaded")));
    if (!mvcc_layout_fits())
        ereport(FATAL, (errmsg("mvcc_visualizer was built for another server"),
                        errhint("Build it with the header files of this server.")));
    on_shmem_exit(stopped, (Datum) 0);
    pg_atomic_write_u32(&ring->worker_pid, (uint32) MyProcPid);
    finish_leftovers();
    known = MemoryContextAllocZero(TopMemoryContext, sizeof(Known) * MaxBackends);
    scratch = AllocSetContextCreate(TopMemoryContext, "mvcc_visualizer look", ALLOCSET_DEFAULT_SIZES);
    for (;;)
    {
        int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (interval_ms > 0 ? WL_TIMEOUT : 0);

        (void) WaitLatch(MyLatch, events, interval_ms, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending)
        {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        if (interval_ms > 0)
        {
            MemoryContext before = MemoryContextSwitchTo(scratch);

            look(known);
            MemoryContextSwitchTo(before);
            MemoryContextReset(scratch);
        }
    }
}
