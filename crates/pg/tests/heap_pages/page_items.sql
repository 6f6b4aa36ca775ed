-- What pageinspect says of a page's line pointers and tuples; -1 for a line pointer without a tuple.
select
    item.lp::int as line,
    item.lp_off::int as at,
    item.lp_flags::int as state,
    item.lp_len::int as bytes,
    coalesce(item.t_xmin::text::bigint, -1) as xmin,
    coalesce(item.t_xmax::text::bigint, -1) as xmax,
    coalesce(item.t_field3::bigint, -1) as command,
    item.t_ctid::text as ctid,
    coalesce(item.t_infomask2::int, 0) as infomask2,
    coalesce(item.t_infomask::int, 0) as infomask,
    coalesce(item.t_hoff::int, 0) as hoff,
    coalesce(flags.raw_flags, '{}') as raw_flags,
    coalesce(flags.combined_flags, '{}') as combined_flags
from heap_page_items($1::bytea) as item
left join lateral heap_tuple_infomask_flags(item.t_infomask, item.t_infomask2) as flags on item.t_infomask is not null
order by item.lp
