-- What delivery_taken.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the order.
delete from tpcc.new_order
where no_w_id = $1
    and no_d_id = $2
    and no_o_id = $3
returning array[no_w_id::text, no_d_id::text, no_o_id::text] as row_key;
