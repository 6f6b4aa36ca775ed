-- How often the worker has looked at all sessions.
select looks
from mvcc_preload_state();
