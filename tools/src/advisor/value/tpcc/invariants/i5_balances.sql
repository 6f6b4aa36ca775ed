-- I5: a customer owes what was delivered and not paid (TPC-C, clause 3.3.2, conditions 10 and 12). A row: an order was
-- delivered twice, or a payment got lost.
select *
from (
    select
        c.c_w_id,
        c.c_d_id,
        c.c_id,
        c.c_balance,
        (
            select coalesce(sum(l.ol_amount), 0)
            from tpcc.orders as o
            join tpcc.order_line as l
                on (l.ol_w_id, l.ol_d_id, l.ol_o_id) = (o.o_w_id, o.o_d_id, o.o_id)
            where (o.o_w_id, o.o_d_id, o.o_c_id) = (c.c_w_id, c.c_d_id, c.c_id)
                and l.ol_carrier_id is not null
        ) as delivered,
        (
            select coalesce(sum(h.h_amount), 0)
            from tpcc.history as h
            where (h.h_w_id, h.h_d_id, h.h_c_id) = (c.c_w_id, c.c_d_id, c.c_id)
        ) as paid
    from tpcc.customer as c
) as books
where c_balance <> delivered - paid;
