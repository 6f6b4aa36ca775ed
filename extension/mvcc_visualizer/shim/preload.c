/*
 * What happens when the library is preloaded: settings, hooks, shared memory, the worker. Loaded later, by the first
 * call of a function, it has none of these, and the functions that need them say so.
 */
#include "shim.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void
request(void)
{
    if (previous_request)
        previous_request();
    mvcc_live_request();
    mvcc_waits_request();
}

static void
startup(void)
{
    if (previous_startup)
        previous_startup();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    mvcc_live_startup();
    mvcc_waits_startup();
    LWLockRelease(AddinShmemInitLock);
}

void
mvcc_preload(void)
{
    if (!process_shared_preload_libraries_in_progress)
        return;
    mvcc_live_preload();
    mvcc_waits_preload();
    MarkGUCPrefixReserved("mvcc_visualizer");
    previous_request = shmem_request_hook;
    shmem_request_hook = request;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}
