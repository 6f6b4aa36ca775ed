-- Nobody orders, pays or delivers in a district while we look; others may look, too. $1 the warehouse, $2 the district.
select d_id
from tpcc.district
where d_w_id = $1
    and d_id = $2
for share;
