-- I4: an order is waiting or delivered, with all its lines, and never both (TPC-C, clause 3.3.2, conditions 5 and 7).
select
    o.o_w_id,
    o.o_d_id,
    o.o_id,
    o.o_carrier_id,
    n.no_o_id
from tpcc.orders as o
left join tpcc.new_order as n on (n.no_w_id, n.no_d_id, n.no_o_id) = (o.o_w_id, o.o_d_id, o.o_id)
where (o.o_carrier_id is null) <> (n.no_o_id is not null)
    or exists (
        select
        from tpcc.order_line as l
        where (l.ol_w_id, l.ol_d_id, l.ol_o_id) = (o.o_w_id, o.o_d_id, o.o_id)
            and (l.ol_carrier_id is null) <> (o.o_carrier_id is null)
    );
