-- TPC-C's five programs by their keys: all of them are safe at repeatable read.

-- pgstrata: program NewOrder
-- pgstrata: frequency 0.45
begin;
select w_tax from warehouse where w_id = :w;
update district set d_next_o_id = d_next_o_id + 1 where d_w_id = :w and d_id = :d returning d_next_o_id - 1 as o \gset
select c_discount, c_last, c_credit from customer where c_w_id = :w and c_d_id = :d and c_id = :c;
insert into orders (o_w_id, o_d_id, o_id, o_c_id) values (:w, :d, :o, :c);
update stock set s_quantity = s_quantity - :quantity, s_ytd = s_ytd + :quantity where s_w_id = :w and s_i_id = :i;
insert into order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_quantity, ol_amount)
values (:w, :d, :o, 1, :i, :quantity, :amount);
commit;

-- pgstrata: program Payment
-- pgstrata: frequency 0.43
begin;
update warehouse set w_ytd = w_ytd + :amount where w_id = :w;
update district set d_ytd = d_ytd + :amount where d_w_id = :w and d_id = :d;
update customer set c_balance = c_balance - :amount, c_ytd_payment = c_ytd_payment + :amount
where c_w_id = :w and c_d_id = :d and c_id = :c;
commit;

-- pgstrata: program OrderStatus
-- pgstrata: frequency 0.04
begin;
select c_balance, c_last from customer where c_w_id = :w and c_d_id = :d and c_id = :c;
select o_carrier_id from orders where o_w_id = :w and o_d_id = :d and o_id = :o;
select ol_i_id, ol_quantity, ol_amount, ol_delivery_d
from order_line
where ol_w_id = :w and ol_d_id = :d and ol_o_id = :o and ol_number = 1;
commit;

-- pgstrata: program Delivery
-- pgstrata: frequency 0.04
begin;
update orders set o_carrier_id = :carrier where o_w_id = :w and o_d_id = :d and o_id = :o returning o_c_id as c \gset
update order_line set ol_delivery_d = now()
where ol_w_id = :w and ol_d_id = :d and ol_o_id = :o and ol_number = 1
returning ol_amount as amount \gset
update customer set c_balance = c_balance + :amount where c_w_id = :w and c_d_id = :d and c_id = :c;
commit;

-- pgstrata: program StockLevel
-- pgstrata: frequency 0.04
begin;
select d_next_o_id as o from district where d_w_id = :w and d_id = :d \gset
select ol_i_id from order_line where ol_w_id = :w and ol_d_id = :d and ol_o_id = :o and ol_number = 1;
select s_quantity from stock where s_w_id = :w and s_i_id = :i;
commit;
