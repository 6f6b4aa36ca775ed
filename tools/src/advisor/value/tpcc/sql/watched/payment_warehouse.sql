-- What payment_warehouse.sql does, with what whoever watches needs. $1 the warehouse, $2 the amount.
update tpcc.warehouse
set w_ytd = w_ytd + $2
where w_id = $1
returning
    w_name,
    array[w_id::text] as row_key,
    xmin::text as row_xmin;
