-- What order_status_customer.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the
-- customer.
select
    c_balance,
    c_last,
    array[c_w_id::text, c_d_id::text, c_id::text] as row_key,
    xmin::text as row_xmin
from tpcc.customer
where c_w_id = $1
    and c_d_id = $2
    and c_id = $3;
