-- Serializable transactions and whether they are doomed, by mvcc_visualizer; at most $1.
select node,
       pid,
       xid::text::bigint as xid,
       virtual_transaction as id,
       state,
       coalesce(doomed, false) as is_doomed,
       coalesce(is_pivot, false) as is_pivot,
       coalesce(is_read_only, false) as is_read_only
from mvcc_ssi_graph()
limit $1
