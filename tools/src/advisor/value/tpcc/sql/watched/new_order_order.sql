-- What new_order_order.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the order, $4
-- the customer, $5 how many lines.
insert into tpcc.orders (o_w_id, o_d_id, o_id, o_c_id, o_ol_cnt)
values ($1, $2, $3, $4, $5)
returning
    array[o_w_id::text, o_d_id::text, o_id::text] as row_key,
    xmin::text as row_xmin;
