-- What order_status_lines.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the order.
select
    ol_i_id,
    ol_quantity,
    ol_amount,
    ol_carrier_id,
    array[ol_w_id::text, ol_d_id::text, ol_o_id::text, ol_number::text] as row_key,
    xmin::text as row_xmin,
    pg_current_snapshot()::text as row_snapshot
from tpcc.order_line
where ol_w_id = $1
    and ol_d_id = $2
    and ol_o_id = $3;
