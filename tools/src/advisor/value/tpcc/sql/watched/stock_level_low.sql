-- What stock_level_low.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 and $4 the
-- orders from and to, $5 the threshold.
select
    s_i_id,
    s_quantity < $5 as is_low,
    array[order_line.ol_w_id::text, order_line.ol_d_id::text, order_line.ol_o_id::text, order_line.ol_number::text] as row_key,
    order_line.xmin::text as row_xmin,
    array[s_w_id::text, s_i_id::text] as stock_key,
    stock.xmin::text as stock_xmin,
    pg_current_snapshot()::text as row_snapshot
from tpcc.order_line
join tpcc.stock on s_w_id = ol_w_id and s_i_id = ol_i_id
where ol_w_id = $1
    and ol_d_id = $2
    and ol_o_id >= $3
    and ol_o_id < $4;
