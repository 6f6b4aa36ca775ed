-- The line pointers and tuples of pages $2 of table $1, by mvcc_visualizer: for roles that may not read raw pages.
select found.block,
       found.line,
       found.line_state,
       found.line_to,
       found.bytes,
       found.hot_root,
       found.parent,
       found.is_parent_inferred,
       (found.next::text::point)[0]::bigint as next_block,
       (found.next::text::point)[1]::int as next_line,
       found.xmin::text::bigint as xmin,
       found.xmax::text::bigint as xmax,
       found.command,
       found.flags,
       found.row_key,
       found.values
from unnest($2::bigint[]) as wanted(page)
cross join lateral mvcc_page($1::bigint::oid::regclass, wanted.page) as found
