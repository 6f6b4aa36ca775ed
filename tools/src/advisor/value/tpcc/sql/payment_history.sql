-- Payment: what was paid. $1 the request, $2 the warehouse, $3 the district, $4 the customer, $5 the amount.
insert into tpcc.history (h_key, h_w_id, h_d_id, h_c_id, h_amount)
values ($1, $2, $3, $4, $5);
