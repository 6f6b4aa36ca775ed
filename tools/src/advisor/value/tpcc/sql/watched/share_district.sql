-- What share_district.sql does, with what whoever watches needs. $1 the warehouse, $2 the district.
select
    d_id,
    array[d_w_id::text, d_id::text] as row_key,
    xmin::text as row_xmin
from tpcc.district
where d_w_id = $1
    and d_id = $2
for share;
