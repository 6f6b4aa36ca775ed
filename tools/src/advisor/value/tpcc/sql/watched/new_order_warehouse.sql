-- What new_order_warehouse.sql does, with what whoever watches needs. $1 the warehouse.
select
    w_tax,
    array[w_id::text] as row_key,
    xmin::text as row_xmin
from tpcc.warehouse
where w_id = $1;
