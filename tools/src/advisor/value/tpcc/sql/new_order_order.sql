-- NewOrder: the order. $1 the warehouse, $2 the district, $3 the order, $4 the customer, $5 how many lines.
insert into tpcc.orders (o_w_id, o_d_id, o_id, o_c_id, o_ol_cnt)
values ($1, $2, $3, $4, $5);
