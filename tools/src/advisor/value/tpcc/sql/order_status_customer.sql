-- OrderStatus: what the customer owes. $1 the warehouse, $2 the district, $3 the customer.
select
    c_balance,
    c_last
from tpcc.customer
where c_w_id = $1
    and c_d_id = $2
    and c_id = $3;
