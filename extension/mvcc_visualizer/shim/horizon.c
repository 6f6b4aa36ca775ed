/*
 * How old a dead row version must be before it may be removed, and who keeps it that old.
 *
 * The horizon itself is the server's (GetOldestNonRemovableTransactionId); who holds it back is read from the same words
 * that it is computed from, a moment later.
 */
#include "shim.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/twophase.h"
#include "catalog/catalog.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/rel.h"

/* Whether a session can hold back this relation at all (ComputeXidHorizons in src/backend/storage/ipc/procarray.c). */
static bool
counts_for(Relation relation, PGPROC *process)
{
    if (process->statusFlags & (PROC_IN_VACUUM | PROC_IN_LOGICAL_DECODING))
        return false;
    return relation->rd_rel->relisshared || process->databaseId == MyDatabaseId || process->databaseId == InvalidOid ||
        (process->statusFlags & PROC_AFFECTS_ALL_HORIZONS) != 0 || RecoveryInProgress();
}

static void
add_holder(MvccHolder *holders, int *count, int kind, int pid, TransactionId xid, TransactionId xmin)
{
    MvccHolder *holder = &holders[(*count)++];

    holder->kind = kind;
    holder->pid = pid;
    holder->xid = xid;
    holder->xmin = xmin;
}

static void
add_slots(Relation relation, MvccHolder *holders, int *count)
{
    TransactionId xmin;
    TransactionId catalog_xmin;

    ProcArrayGetReplicationSlotXmin(&xmin, &catalog_xmin);
    if (TransactionIdIsValid(xmin))
        add_holder(holders, count, HOLDER_SLOT, 0, InvalidTransactionId, xmin);
    if (TransactionIdIsValid(catalog_xmin) && RelationIsAccessibleInLogicalDecoding(relation))
        add_holder(holders, count, HOLDER_CATALOG_SLOT, 0, InvalidTransactionId, catalog_xmin);
}

/* The horizon of a relation, whose lock is only taken if that needs no waiting; 0 if it does. */
uint32
mvcc_horizon_of(Oid id, uint32 *next, MvccHolder **holders, int *holder_count)
{
    Relation relation;
    TransactionId horizon;
    int count = 0;
    /* Behind all sessions' are those that stand for prepared transactions (InitProcGlobal); allProcCount leaves them out. */
    uint32 processes = ProcGlobal->allProcCount + max_prepared_xacts;

    if (!ConditionalLockRelationOid(id, AccessShareLock))
        return InvalidTransactionId;
    relation = relation_open(id, NoLock);
    horizon = GetOldestNonRemovableTransactionId(relation);
    *next = XidFromFullTransactionId(ReadNextFullTransactionId());
    *holders = palloc0(sizeof(MvccHolder) * (processes + 2));
    LWLockAcquire(ProcArrayLock, LW_SHARED);
    for (uint32 index = 0; index < processes; index++)
    {
        PGPROC *process = &ProcGlobal->allProcs[index];
        TransactionId xid = process->xid;
        TransactionId xmin = process->xmin;
        int kind = process->pid == 0 ? HOLDER_PREPARED : HOLDER_SESSION;

        /* The entry of a prepared transaction that has ended keeps its number; the array that is searched does not. */
        if (kind == HOLDER_PREPARED && (!TransactionIdIsValid(xid) || ProcGlobal->xids[process->pgxactoff] != xid))
            continue;
        /* This very call has a snapshot too, and it is gone with it. */
        if (process == MyProc || !counts_for(relation, process))
            continue;
        if (!TransactionIdIsValid(xid) && !TransactionIdIsValid(xmin))
            continue;
        if (process->statusFlags & PROC_AFFECTS_ALL_HORIZONS)
            kind = HOLDER_STANDBY;
        add_holder(*holders, &count, kind, process->pid, xid, xmin);
    }
    LWLockRelease(ProcArrayLock);
    add_slots(relation, *holders, &count);
    relation_close(relation, AccessShareLock);
    *holder_count = count;
    return horizon;
}
