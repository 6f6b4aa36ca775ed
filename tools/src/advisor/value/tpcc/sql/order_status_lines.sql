-- OrderStatus: the lines of an order. $1 the warehouse, $2 the district, $3 the order.
select
    ol_i_id,
    ol_quantity,
    ol_amount,
    ol_carrier_id
from tpcc.order_line
where ol_w_id = $1
    and ol_d_id = $2
    and ol_o_id = $3;
