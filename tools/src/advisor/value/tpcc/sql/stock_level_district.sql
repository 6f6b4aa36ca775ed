-- StockLevel: the next order number of the district. $1 the warehouse, $2 the district.
select d_next_o_id
from tpcc.district
where d_w_id = $1
    and d_id = $2;
