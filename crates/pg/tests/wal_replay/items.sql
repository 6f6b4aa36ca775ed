-- Shows all tuples of a table as they are on its pages.
select
  block,
  lp as "offset",
  t_xmin::text as xmin,
  t_xmax::text as xmax,
  t_ctid::text as ctid
from generate_series(0, pg_relation_size($1::text::regclass) / 8192 - 1) as block,
  lateral heap_page_items(get_raw_page($1, 'main', block::int))
where lp_flags = 1
order by block, lp
