-- The process of the worker that looks at waits, null while it does not run.
select worker_pid
from mvcc_preload_state();
