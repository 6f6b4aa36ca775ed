-- OrderStatus: the customer's last order. $1 the warehouse, $2 the district, $3 the customer.
select
    o_id,
    o_carrier_id
from tpcc.orders
where o_w_id = $1
    and o_d_id = $2
    and o_c_id = $3
order by o_id desc
limit 1;
