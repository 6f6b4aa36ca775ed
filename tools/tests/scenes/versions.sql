-- All versions on the pages of a table: place, maker, names of the flags.
select block, item.lp::int, item.t_xmin::text::bigint, flags.raw_flags || flags.combined_flags
from generate_series(0, pg_relation_size($1::text::regclass) / current_setting('block_size')::int - 1) as block
cross join lateral heap_page_items(get_raw_page($1::text, block::int)) as item
cross join lateral heap_tuple_infomask_flags(item.t_infomask, item.t_infomask2) as flags
where item.t_xmin is not null
