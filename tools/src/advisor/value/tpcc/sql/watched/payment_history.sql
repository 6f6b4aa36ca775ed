-- What payment_history.sql does, with what whoever watches needs. $1 the request, $2 the warehouse, $3 the district,
-- $4 the customer, $5 the amount.
insert into tpcc.history (h_key, h_w_id, h_d_id, h_c_id, h_amount)
values ($1, $2, $3, $4, $5)
returning
    array[h_key::text] as row_key,
    xmin::text as row_xmin;
