-- What every session sees, by the preloaded part of mvcc_visualizer.
select pid,
       snapshot::text as snapshot,
       command,
       coalesce(suboverflowed, false) as is_suboverflowed,
       own::text::bigint as own,
       subxids::text[]::bigint[] as subxids,
       is_current
from mvcc_live_snapshots()
where pid <> pg_backend_pid()
