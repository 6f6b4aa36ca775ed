-- Delivery: who carries the order. $1 the warehouse, $2 the district, $3 the order, $4 the carrier.
update tpcc.orders
set o_carrier_id = $4
where o_w_id = $1
    and o_d_id = $2
    and o_id = $3
returning o_c_id;
