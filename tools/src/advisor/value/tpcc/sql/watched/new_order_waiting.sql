-- What new_order_waiting.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the order.
insert into tpcc.new_order (no_w_id, no_d_id, no_o_id)
values ($1, $2, $3)
returning
    array[no_w_id::text, no_d_id::text, no_o_id::text] as row_key,
    xmin::text as row_xmin;
