-- Delivery: its lines are delivered. $1 the warehouse, $2 the district, $3 the order, $4 the carrier.
update tpcc.order_line
set ol_carrier_id = $4
where ol_w_id = $1
    and ol_d_id = $2
    and ol_o_id = $3
returning ol_amount;
