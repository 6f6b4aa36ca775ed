-- How pages $2 of table $1 are filled, by mvcc_visualizer.
select wanted.page,
       found.lsn::text as lsn,
       found.lower,
       found.upper,
       found.special,
       found.prune_xid::text::bigint as prune_xid,
       found.is_all_visible,
       found.is_all_frozen
from unnest($2::bigint[]) as wanted(page)
cross join lateral mvcc_page_header($1::bigint::oid::regclass, wanted.page) as found
