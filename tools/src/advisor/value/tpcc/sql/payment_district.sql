-- Payment: what the district took. $1 the warehouse, $2 the district, $3 the amount.
update tpcc.district
set d_ytd = d_ytd + $3
where d_w_id = $1
    and d_id = $2
returning d_name;
