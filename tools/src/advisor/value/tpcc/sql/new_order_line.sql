-- NewOrder: a line of the order. $1 the warehouse, $2 the district, $3 the order, $4 the line, $5 the item, $6 how
-- many, $7 the amount.
insert into tpcc.order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_quantity, ol_amount)
values ($1, $2, $3, $4, $5, $6, $7);
