/*
 * Who waits for whom at this moment: the lock that a session waits for, who holds it, and who is ahead in its queue.
 *
 * Whether a session waits is read from its PGPROC without locks, which a look every few milliseconds can afford; the
 * rest comes from the lock manager under its locks, by the function that also feeds pg_blocking_pids(), and only for
 * sessions that wait.
 */
#include "shim.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lmgr.h"
#include "storage/predicate_internals.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/*
 * Whether this build's idea of the server's processes is the running server's: its own process is where it should be.
 * The macro that servers compare libraries by holds the major version only.
 */
bool
mvcc_layout_fits(void)
{
    static int fits = -1;

    if (fits < 0 && MyProc != NULL)
    {
        Size offset = (char *) MyProc - (char *) ProcGlobal->allProcs;

        fits = offset % sizeof(PGPROC) == 0 && offset / sizeof(PGPROC) < ProcGlobal->allProcCount &&
            MyProc->pid == MyProcPid && MyProc->databaseId == MyDatabaseId;
    }
    return fits == 1;
}

/* Whether the process at this place waits, read without locks: whose wait it is and since when. */
bool
mvcc_wait_of(int index, MvccWait *wait)
{
    PGPROC *process = &ProcGlobal->allProcs[index];

    wait->pid = process->pid;
    if (wait->pid == 0 || wait->pid == MyProcPid)
        return false;
    wait->since = (TimestampTz) pg_atomic_read_u64(&process->waitStart);
    wait->is_safe_snapshot = false;
    if (wait->since != 0 && process->waitLock != NULL)
        return true;
    wait->since = 0;
    wait->is_safe_snapshot = process->wait_event_info == WAIT_EVENT_SAFE_SNAPSHOT;
    return wait->is_safe_snapshot;
}

static void
add_pid(int32 *pids, uint16 *count, int32 pid, MvccWait *wait)
{
    for (int at = 0; at < *count; at++)
        if (pids[at] == pid)
            return;
    if (*count == WAIT_BLOCKERS_MAX)
        wait->is_truncated = true;
    else
        pids[(*count)++] = pid;
}

static void
look_at_safe_snapshot(MvccWait *wait)
{
    int pids[WAIT_BLOCKERS_MAX];
    int count = GetSafeSnapshotBlockingPids(wait->pid, pids, WAIT_BLOCKERS_MAX);

    for (int at = 0; at < count; at++)
        add_pid(wait->hard, &wait->hard_count, pids[at], wait);
}

/* One of the locks held or asked for on the object that `own` waits for. */
static void
look_at_other(MvccWait *wait, const LockInstanceData *own, const LockInstanceData *other, const BlockedProcsData *all,
              const BlockedProcData *blocked)
{
    LOCKMASK conflicts = GetLockTagsMethodTable(&own->locktag)->conflictTab[own->waitLockMode];

    /* Those who work together in a parallel query do not block each other. */
    if (other == own || other->leaderPid == own->leaderPid)
        return;
    if (conflicts & other->holdMask)
    {
        add_pid(wait->hard, &wait->hard_count, other->leaderPid, wait);
        return;
    }
    if (other->waitLockMode == NoLock || !(conflicts & LOCKBIT_ON(other->waitLockMode)))
        return;
    for (int at = 0; at < blocked->num_waiters; at++)
        if (all->waiter_pids[blocked->first_waiter + at] == other->pid)
            add_pid(wait->soft, &wait->soft_count, other->leaderPid, wait);
}

static void
look_at_lock(MvccWait *wait)
{
    BlockedProcsData *all = GetBlockerStatusData(wait->pid);

    for (int at = 0; at < all->nprocs; at++)
    {
        BlockedProcData *blocked = &all->procs[at];
        LockInstanceData *locks = &all->locks[blocked->first_lock];
        LockInstanceData *own = NULL;

        for (int lock = 0; lock < blocked->num_locks; lock++)
            if (locks[lock].pid == blocked->pid && locks[lock].waitLockMode != NoLock)
                own = &locks[lock];
        /* Others who work for the same leader have waits of their own. */
        if (own == NULL || blocked->pid != wait->pid)
            continue;
        wait->leader = own->leaderPid;
        wait->mode = own->waitLockMode;
        wait->type = own->locktag.locktag_type;
        wait->field1 = own->locktag.locktag_field1;
        wait->field2 = own->locktag.locktag_field2;
        wait->field3 = own->locktag.locktag_field3;
        wait->field4 = own->locktag.locktag_field4;
        for (int lock = 0; lock < blocked->num_locks; lock++)
            look_at_other(wait, own, &locks[lock], all, blocked);
    }
}

/* Fills in what is waited for and who is in the way, in the current memory context. */
void
mvcc_wait_look(MvccWait *wait)
{
    wait->hard_count = 0;
    wait->soft_count = 0;
    wait->is_truncated = false;
    wait->leader = wait->pid;
    wait->mode = 0;
    if (wait->is_safe_snapshot)
        look_at_safe_snapshot(wait);
    else
        look_at_lock(wait);
}

static bool
waits_for(const MvccWait *wait, int32 pid)
{
    for (int at = 0; at < wait->hard_count; at++)
        if (wait->hard[at] == pid)
            return true;
    for (int at = 0; at < wait->soft_count; at++)
        if (wait->soft[at] == pid)
            return true;
    return false;
}

/*
 * Marks the waits that are part of a cycle: those that are reached from themselves. Soft edges count, as they do for the
 * deadlock detector, which may be able to undo them by reordering the queue; until it does, nobody moves.
 */
void
mvcc_wait_mark_cycles(MvccWait **waits, int count)
{
    bool *reached = palloc(sizeof(bool) * (count + 1));
    int *todo = palloc(sizeof(int) * (count + 1));

    for (int start = 0; start < count; start++)
    {
        int waiting = 0;

        CHECK_FOR_INTERRUPTS();
        memset(reached, 0, sizeof(bool) * count);
        todo[waiting++] = start;
        waits[start]->in_cycle = false;
        while (waiting > 0 && !waits[start]->in_cycle)
        {
            MvccWait *from = waits[todo[--waiting]];

            for (int next = 0; next < count; next++)
            {
                if (reached[next] || !waits_for(from, waits[next]->leader))
                    continue;
                reached[next] = true;
                if (next == start)
                    waits[start]->in_cycle = true;
                else
                    todo[waiting++] = next;
            }
        }
    }
    pfree(reached);
    pfree(todo);
}

/* Everybody's waits at this moment. */
int
mvcc_waits_collect(MvccWait **found)
{
    int count = 0;
    MvccWait **waits = palloc(sizeof(MvccWait *) * (MaxBackends + 1));

    if (!mvcc_layout_fits())
        return -1;
    *found = palloc0(sizeof(MvccWait) * (MaxBackends + 1));
    for (int index = 0; index < MaxBackends; index++)
    {
        MvccWait *wait = &(*found)[count];

        memset(wait, 0, sizeof(MvccWait));
        if (!mvcc_wait_of(index, wait))
            continue;
        mvcc_wait_look(wait);
        /* It got what it wanted before the lock manager was asked. */
        if (!wait->is_safe_snapshot && wait->mode == 0)
            continue;
        waits[count++] = wait;
    }
    mvcc_wait_mark_cycles(waits, count);
    return count;
}
