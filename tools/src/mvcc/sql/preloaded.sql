-- Whether the preloaded part of mvcc_visualizer answers: it does not when the library was not in shared_preload_libraries.
select count(*) as sessions
from mvcc_live_snapshots()
