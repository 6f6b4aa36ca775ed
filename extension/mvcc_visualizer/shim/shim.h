/*
 * What the C part gives the Rust part: plain records, filled from the server's own structures.
 *
 * C, because these structures differ between major versions and are described by the server's header files alone; and
 * because the hooks run in every statement of every session. Each record here has a twin in src/shim.rs of the
 * same size.
 */
#ifndef MVCC_SHIM_H
#define MVCC_SHIM_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lock.h"

/* Transactions that one session's snapshot can be published with; with more, it is marked as overflowed. */
#define LIVE_XIDS_MAX 1024
/* Blockers of one wait that are kept; with more, it is marked as truncated. */
#define WAIT_BLOCKERS_MAX 16
/* Looks at a record that is being written before it is given up. */
#define READ_TRIES_MAX 1000

/* What one session sees. */
typedef struct MvccLive
{
    int32 pid;
    uint32 command;         /* a change of its own is visible if its command is lower */
    uint32 xmin;
    uint32 xmax;
    uint32 count;           /* of the transactions that were running, in xids */
    uint32 own;             /* its own transaction, 0 before it has changed anything */
    uint32 subxids_count;
    int32 nesting;          /* of statements inside statements */
    TimestampTz taken;
    bool is_known;          /* false: it was written all the time while we looked */
    bool is_current;        /* the next read goes by it; false between statements of read committed */
    bool has_snapshot;
    bool suboverflowed;
    bool overflowed;        /* it does not fit here */
    bool subxids_overflowed;
    const uint32 *xids;
    const uint32 *subxids;
} MvccLive;

/* One wait for a lock, or for a safe snapshot. */
typedef struct MvccWait
{
    uint64 wait;            /* its number; 0 outside of the ring */
    uint64 change;          /* the number of its last change; 0 outside of the ring */
    TimestampTz since;
    TimestampTz ended;      /* 0 while it lasts */
    int32 pid;
    int32 mode;             /* 0 for a safe snapshot */
    uint32 field1;          /* of the lock's tag; see LOCKTAG in storage/lock.h */
    uint32 field2;
    uint32 field3;
    int32 leader;           /* whom it works for in a parallel query; itself otherwise. Blockers are leaders. */
    uint16 field4;
    uint8 type;
    bool is_safe_snapshot;
    bool in_cycle;
    bool is_truncated;
    uint16 hard_count;
    uint16 soft_count;
    int32 hard[WAIT_BLOCKERS_MAX];  /* who holds what is waited for; 0 is a prepared transaction */
    int32 soft[WAIT_BLOCKERS_MAX];  /* who waits for it ahead in the queue */
} MvccWait;

/* One serializable transaction. */
typedef struct MvccSerializable
{
    int32 node;
    int32 pid;
    uint32 backend;
    uint32 local_transaction;
    uint32 xid;
    uint32 xmin;
    uint32 finished_before;
    uint32 flags;
    uint64 committed_at;    /* in the order of commits; the largest number before it */
    bool is_summary;        /* stands for all that are too old to be kept one by one */
} MvccSerializable;

/* One read of what another transaction writes: the reader comes before the writer in any serial order. */
typedef struct MvccConflict
{
    int32 reader;
    int32 writer;
    bool is_possible;       /* only a read-only transaction that may turn out to be unsafe */
} MvccConflict;

/* Who holds back the removal of dead row versions. */
typedef struct MvccHolder
{
    int32 kind;             /* HOLDER_* */
    int32 pid;
    uint32 xid;
    uint32 xmin;
} MvccHolder;

#define HOLDER_SESSION 0
#define HOLDER_PREPARED 1
#define HOLDER_STANDBY 2
#define HOLDER_SLOT 3
#define HOLDER_CATALOG_SLOT 4

/* What the preloaded part is doing. */
typedef struct MvccPreloaded
{
    int32 worker_pid;       /* 0: it does not run */
    int32 interval_ms;      /* 0: it does not look */
    int32 ring_size;
    int32 slots;
    int32 xids_max;
    bool tracks_snapshots;
    uint64 looks;
    uint64 waits;
} MvccPreloaded;

/* The twins in src/shim.rs say the same of themselves. */
StaticAssertDecl(sizeof(MvccLive) == 64, "MvccLive differs from its twin");
StaticAssertDecl(sizeof(MvccWait) == 200, "MvccWait differs from its twin");
StaticAssertDecl(sizeof(MvccSerializable) == 48, "MvccSerializable differs from its twin");
StaticAssertDecl(sizeof(MvccConflict) == 12, "MvccConflict differs from its twin");
StaticAssertDecl(sizeof(MvccHolder) == 16, "MvccHolder differs from its twin");
StaticAssertDecl(sizeof(MvccPreloaded) == 40, "MvccPreloaded differs from its twin");

extern bool mvcc_layout_fits(void);

extern void mvcc_preload(void);
extern void mvcc_live_preload(void);
extern void mvcc_live_request(void);
extern void mvcc_live_startup(void);
extern int mvcc_live_slots(void);
extern int mvcc_live_xids_max(void);
extern bool mvcc_live_tracks(void);
extern int mvcc_live_collect(MvccLive **found);

extern void mvcc_waits_preload(void);
extern void mvcc_waits_request(void);
extern void mvcc_waits_startup(void);
extern int mvcc_waits_collect(MvccWait **found);
extern int mvcc_waits_ring(uint64 after, MvccWait **found);
extern void mvcc_waits_work(void);
extern bool mvcc_preloaded(MvccPreloaded *state);

/* Within the C part. */
extern bool mvcc_wait_of(int index, MvccWait *wait);
extern void mvcc_wait_look(MvccWait *wait);
extern void mvcc_wait_mark_cycles(MvccWait **waits, int count);

extern int mvcc_serializable(MvccSerializable **found, MvccConflict **conflicts, int *conflict_count);

extern uint32 mvcc_horizon_of(Oid relation, uint32 *next, MvccHolder **holders, int *holder_count);

#endif
