-- What order_status_order.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the
-- customer.
select
    o_id,
    o_carrier_id,
    array[o_w_id::text, o_d_id::text, o_id::text] as row_key,
    xmin::text as row_xmin,
    pg_current_snapshot()::text as row_snapshot
from tpcc.orders
where o_w_id = $1
    and o_d_id = $2
    and o_c_id = $3
order by o_id desc
limit 1;
