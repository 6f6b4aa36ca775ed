-- NewOrder: takes the next order number of the district. $1 the warehouse, $2 the district.
update tpcc.district
set d_next_o_id = d_next_o_id + 1
where d_w_id = $1
    and d_id = $2
returning
    d_tax,
    d_next_o_id;
