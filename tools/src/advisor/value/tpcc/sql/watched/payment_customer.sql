-- What payment_customer.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the
-- customer, $4 the amount.
update tpcc.customer
set
    c_balance = c_balance - $4,
    c_ytd_payment = c_ytd_payment + $4,
    c_payment_cnt = c_payment_cnt + 1
where c_w_id = $1
    and c_d_id = $2
    and c_id = $3
returning
    c_balance,
    c_last,
    c_credit,
    array[c_w_id::text, c_d_id::text, c_id::text] as row_key,
    xmin::text as row_xmin;
