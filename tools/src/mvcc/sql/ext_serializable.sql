-- Serializable transactions and whether they are doomed, by mvcc_visualizer; at most $1. The one that stands for all that are
-- too old to be kept one by one is always there; it counts only where somebody conflicts with it.
with conflict as materialized (
    select reader, writer
    from mvcc_ssi_conflicts()
)
select node,
       pid,
       xid::text::bigint as xid,
       virtual_transaction as id,
       state,
       coalesce(doomed, false) as is_doomed,
       coalesce(is_pivot, false) as is_pivot,
       coalesce(is_read_only, false) as is_read_only
from mvcc_ssi_graph()
where state is distinct from 'summary'
   or node in (
       select reader
       from conflict
       union all
       select writer
       from conflict
   )
limit $1
