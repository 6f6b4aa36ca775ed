/*
 * Serializable transactions and the reads that put one before another, from the private structures of the server's
 * predicate.c (SSI: Cahill, Röhm and Fekete, SIGMOD 2008; src/backend/storage/lmgr/README-SSI).
 *
 * The list of transactions is found by its name in shared memory. The server compares the size that we expect with the
 * size it has, and refuses when they differ, before anything is read.
 */
#include "shim.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/predicate_internals.h"
#include "storage/proc.h"
#include "storage/shmem.h"

/* As many as the server makes for each session (InitPredicateLocks). */
#define SERIALIZABLE_PER_SESSION 10

#if PG_VERSION_NUM >= 170000
#define VXID_OWNER(vxid) ((uint32) (vxid).procNumber)
#else
#define VXID_OWNER(vxid) ((uint32) (vxid).backendId)
#endif

static int
transactions_max(void)
{
    return (MaxBackends + max_prepared_xacts) * SERIALIZABLE_PER_SESSION;
}

static PredXactList
find_list(void)
{
    bool is_there = false;
    Size size = PredXactListDataSize;

#if PG_VERSION_NUM >= 180000
    /* From 18 on the transactions are part of the same piece of memory. */
    size = add_size(size, mul_size((Size) transactions_max(), sizeof(SERIALIZABLEXACT)));
#endif
    PredXactList list = ShmemInitStruct("PredXactList", size, &is_there);

    if (!is_there)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("this server keeps no list of serializable transactions")));
    return list;
}

/* The place of a transaction among all that there can be: its number while it exists. */
static int32
node_of(PredXactList list, SERIALIZABLEXACT *transaction)
{
#if PG_VERSION_NUM >= 160000
    Size offset = (char *) transaction - (char *) list->element;
    int32 node = (int32) (offset / sizeof(SERIALIZABLEXACT));
#else
    Size offset = (char *) transaction - (char *) &list->element->sxact;
    int32 node = (int32) (offset / PredXactListElementDataSize);
#endif

    if (node < 0 || node >= transactions_max())
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a serializable transaction lies outside of the server's list"),
                        errhint("The extension does not fit this server; build it with its header files.")));
    return node;
}

static void
describe(PredXactList list, SERIALIZABLEXACT *transaction, MvccSerializable *row)
{
    row->node = node_of(list, transaction);
    row->pid = transaction->pid;
    row->backend = VXID_OWNER(transaction->vxid);
    row->local_transaction = transaction->vxid.localTransactionId;
    row->xid = transaction->topXid;
    row->xmin = transaction->xmin;
    row->finished_before = transaction->finishedBefore;
    row->flags = transaction->flags;
    row->committed_at = transaction->commitSeqNo;
    row->is_summary = transaction == list->OldCommittedSxact;
}

typedef struct Conflicts
{
    MvccConflict *found;
    int count;
    int room;
} Conflicts;

/* Whether there was room for it. Memory is not asked for while the server's lock is held. */
static bool
add_conflict(PredXactList list, Conflicts *conflicts, RWConflict conflict, bool is_possible)
{
    if (conflicts->count == conflicts->room)
        return false;
    /* A possible one is noted the other way round: into the read-only transaction (SetPossibleUnsafeConflict). */
    conflicts->found[conflicts->count].reader = node_of(list, is_possible ? conflict->sxactIn : conflict->sxactOut);
    conflicts->found[conflicts->count].writer = node_of(list, is_possible ? conflict->sxactOut : conflict->sxactIn);
    conflicts->found[conflicts->count].is_possible = is_possible;
    conflicts->count++;
    return true;
}

#if PG_VERSION_NUM >= 160000

/* Every conflict is on the list of its reader once; the possible ones are on those of both, and taken from the reader's. */
static bool
conflicts_of(PredXactList list, SERIALIZABLEXACT *transaction, Conflicts *conflicts)
{
    dlist_iter at;

    dlist_foreach(at, &transaction->outConflicts)
        if (!add_conflict(list, conflicts, dlist_container(RWConflictData, outLink, at.cur), false))
            return false;
    if ((transaction->flags & SXACT_FLAG_READ_ONLY) != 0)
        dlist_foreach(at, &transaction->possibleUnsafeConflicts)
            if (!add_conflict(list, conflicts, dlist_container(RWConflictData, inLink, at.cur), true))
                return false;
    return true;
}

static bool
walk(PredXactList list, MvccSerializable *rows, int *count, Conflicts *conflicts)
{
    dlist_iter at;

    dlist_foreach(at, &list->activeList)
    {
        SERIALIZABLEXACT *transaction = dlist_container(SERIALIZABLEXACT, xactLink, at.cur);

        if (*count == transactions_max() + 1)
            return false;
        describe(list, transaction, &rows[(*count)++]);
        if (!conflicts_of(list, transaction, conflicts))
            return false;
    }
    return true;
}

#else

static bool
conflicts_of(PredXactList list, SERIALIZABLEXACT *transaction, Conflicts *conflicts)
{
    RWConflict conflict;
    SHM_QUEUE *out = &transaction->outConflicts;
    SHM_QUEUE *possible = &transaction->possibleUnsafeConflicts;

    for (conflict = (RWConflict) SHMQueueNext(out, out, offsetof(RWConflictData, outLink)); conflict != NULL;
         conflict = (RWConflict) SHMQueueNext(out, &conflict->outLink, offsetof(RWConflictData, outLink)))
        if (!add_conflict(list, conflicts, conflict, false))
            return false;
    if ((transaction->flags & SXACT_FLAG_READ_ONLY) == 0)
        return true;
    for (conflict = (RWConflict) SHMQueueNext(possible, possible, offsetof(RWConflictData, inLink)); conflict != NULL;
         conflict = (RWConflict) SHMQueueNext(possible, &conflict->inLink, offsetof(RWConflictData, inLink)))
        if (!add_conflict(list, conflicts, conflict, true))
            return false;
    return true;
}

static bool
walk(PredXactList list, MvccSerializable *rows, int *count, Conflicts *conflicts)
{
    PredXactListElement element;
    SHM_QUEUE *active = &list->activeList;

    for (element = (PredXactListElement) SHMQueueNext(active, active, offsetof(PredXactListElementData, link)); element != NULL;
         element = (PredXactListElement) SHMQueueNext(active, &element->link, offsetof(PredXactListElementData, link)))
    {
        if (*count == transactions_max() + 1)
            return false;
        describe(list, &element->sxact, &rows[(*count)++]);
        if (!conflicts_of(list, &element->sxact, conflicts))
            return false;
    }
    return true;
}

#endif

/* All serializable transactions that the server still knows of, and the conflicts between them, of one moment. */
int
mvcc_serializable(MvccSerializable **found, MvccConflict **conflicts, int *conflict_count)
{
    PredXactList list = find_list();
    int count = 0;
    Conflicts all = {NULL, 0, 1024};
    bool is_complete = false;

    *found = palloc_extended(sizeof(MvccSerializable) * (transactions_max() + 1), MCXT_ALLOC_HUGE);
    while (!is_complete)
    {
        CHECK_FOR_INTERRUPTS();
        all.found = palloc_extended(sizeof(MvccConflict) * all.room, MCXT_ALLOC_HUGE);
        all.count = 0;
        count = 0;
        LWLockAcquire(SerializableXactHashLock, LW_SHARED);
        is_complete = walk(list, *found, &count, &all);
        LWLockRelease(SerializableXactHashLock);
        /* As many as the server has places for (RWConflictPool) are enough. */
        if (!is_complete && all.room > transactions_max() * 8)
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("the server's list of serializable transactions has no end")));
        all.room *= 2;
    }
    *conflicts = all.found;
    *conflict_count = all.count;
    return count;
}
