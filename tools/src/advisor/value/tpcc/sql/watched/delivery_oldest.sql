-- What delivery_oldest.sql does, with what whoever watches needs. $1 the warehouse, $2 the district.
select
    no_o_id,
    array[no_w_id::text, no_d_id::text, no_o_id::text] as row_key,
    xmin::text as row_xmin,
    pg_current_snapshot()::text as row_snapshot
from tpcc.new_order
where no_w_id = $1
    and no_d_id = $2
order by no_o_id
limit 1;
