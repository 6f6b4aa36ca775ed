-- NewOrder: the order waits for its delivery. $1 the warehouse, $2 the district, $3 the order.
insert into tpcc.new_order (no_w_id, no_d_id, no_o_id)
values ($1, $2, $3);
