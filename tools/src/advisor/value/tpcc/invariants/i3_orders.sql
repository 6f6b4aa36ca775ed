-- I3: a district's orders are numbered without a gap up to the next number, and have as many lines as they say (TPC-C, clause
-- 3.3.2, conditions 2, 3, 4 and 6).
select
    d.d_w_id,
    d.d_id,
    d.d_next_o_id,
    o.orders,
    o.highest,
    o.lines_said,
    l.lines
from tpcc.district as d
cross join lateral (
    select
        count(*) as orders,
        max(o.o_id) as highest,
        sum(o.o_ol_cnt) as lines_said
    from tpcc.orders as o
    where o.o_w_id = d.d_w_id
        and o.o_d_id = d.d_id
) as o
cross join lateral (
    select count(*) as lines
    from tpcc.order_line as l
    where l.ol_w_id = d.d_w_id
        and l.ol_d_id = d.d_id
) as l
where (o.orders, o.highest, o.lines_said) is distinct from (d.d_next_o_id - 1, d.d_next_o_id - 1, l.lines::numeric);
