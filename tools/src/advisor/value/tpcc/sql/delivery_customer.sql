-- Delivery: the customer owes the amount. $1 the warehouse, $2 the district, $3 the customer, $4 the amount.
update tpcc.customer
set
    c_balance = c_balance + $4,
    c_delivery_cnt = c_delivery_cnt + 1
where c_w_id = $1
    and c_d_id = $2
    and c_id = $3
returning c_balance;
