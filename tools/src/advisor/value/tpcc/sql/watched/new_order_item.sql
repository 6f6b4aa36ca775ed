-- What new_order_item.sql does, with what whoever watches needs. $1 the item.
select
    i_price,
    array[i_id::text] as row_key,
    xmin::text as row_xmin
from tpcc.item
where i_id = $1;
