-- Delivery: the order that has waited longest. $1 the warehouse, $2 the district.
select no_o_id
from tpcc.new_order
where no_w_id = $1
    and no_d_id = $2
order by no_o_id
limit 1;
