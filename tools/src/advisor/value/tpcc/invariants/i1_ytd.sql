-- I1: what a warehouse took is what its districts took, and what was paid (TPC-C, clause 3.3.2, conditions 1, 8 and 9).
select *
from (
    select
        w.w_id,
        w.w_ytd,
        (select sum(d.d_ytd) from tpcc.district as d where d.d_w_id = w.w_id) as of_districts,
        (select coalesce(sum(h.h_amount), 0) from tpcc.history as h where h.h_w_id = w.w_id) as paid
    from tpcc.warehouse as w
) as books
where w_ytd <> of_districts
    or w_ytd <> paid;
