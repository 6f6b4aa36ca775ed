-- Writes the district as it is: who orders, pays or delivers there at the same time is noticed, or notices us. $1 the
-- warehouse, $2 the district.
update tpcc.district
set d_next_o_id = d_next_o_id
where d_w_id = $1
    and d_id = $2
returning d_id;
