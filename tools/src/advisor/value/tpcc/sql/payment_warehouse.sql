-- Payment: what the warehouse took. $1 the warehouse, $2 the amount.
update tpcc.warehouse
set w_ytd = w_ytd + $2
where w_id = $1
returning w_name;
