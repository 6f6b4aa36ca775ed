-- TPC-C: the five programs of a wholesaler (TPC Benchmark C, revision 5.11). An order has two lines here, a payment and
-- an order status find the customer by number, and a delivery is one district's.
--
-- What is said of them: at read committed the published sets are serializable, order status with payment and stock level,
-- and new order with payment. At repeatable read all but Delivery are. The papers' model, in which rows are found by their
-- keys alone, says it of all five; but here Delivery looks for the oldest new order, and every NewOrder adds one to where
-- it looks. That the added one is never the oldest, as its number is the largest, does not stand in the SQL, so nothing is
-- claimed of it: with Delivery, as written, repeatable read is not shown to be safe.

create table warehouse (
  w_id int primary key,
  w_name text not null,
  w_tax numeric(4, 4) not null,
  w_ytd numeric(12, 2) not null
);

create table district (
  d_id int not null,
  d_w_id int not null,
  d_name text not null,
  d_tax numeric(4, 4) not null,
  d_ytd numeric(12, 2) not null,
  d_next_o_id int not null,
  primary key (d_w_id, d_id)
);

create table customer (
  c_id int not null,
  c_d_id int not null,
  c_w_id int not null,
  c_first text not null,
  c_last text not null,
  c_credit char(2) not null,
  c_discount numeric(4, 4) not null,
  c_balance numeric(12, 2) not null,
  c_ytd_payment numeric(12, 2) not null,
  c_payment_cnt int not null,
  c_delivery_cnt int not null,
  primary key (c_w_id, c_d_id, c_id)
);

create table history (
  h_id uuid primary key default gen_random_uuid(),
  h_c_id int not null,
  h_c_d_id int not null,
  h_c_w_id int not null,
  h_d_id int not null,
  h_w_id int not null,
  h_date timestamp not null,
  h_amount numeric(6, 2) not null
);

create table orders (
  o_id int not null,
  o_d_id int not null,
  o_w_id int not null,
  o_c_id int not null,
  o_entry_d timestamp not null,
  o_carrier_id int,
  o_ol_cnt int not null,
  primary key (o_w_id, o_d_id, o_id)
);

create table new_order (
  no_o_id int not null,
  no_d_id int not null,
  no_w_id int not null,
  primary key (no_w_id, no_d_id, no_o_id)
);

create table item (
  i_id int primary key,
  i_name text not null,
  i_price numeric(5, 2) not null
);

create table stock (
  s_i_id int not null,
  s_w_id int not null,
  s_quantity int not null,
  s_ytd int not null,
  s_order_cnt int not null,
  primary key (s_w_id, s_i_id)
);

create table order_line (
  ol_o_id int not null,
  ol_d_id int not null,
  ol_w_id int not null,
  ol_number int not null,
  ol_i_id int not null,
  ol_delivery_d timestamp,
  ol_quantity int not null,
  ol_amount numeric(6, 2) not null,
  primary key (ol_w_id, ol_d_id, ol_o_id, ol_number)
);

-- Programs

-- Enters an order of two items.
-- pgstrata: program NewOrder
-- pgstrata: frequency 0.45
-- pgstrata: parameter w_id int = 1
-- pgstrata: parameter d_id int = 1
-- pgstrata: parameter c_id int = 1
-- pgstrata: parameter first_item int = 1
-- pgstrata: parameter first_quantity int = 5
-- pgstrata: parameter second_item int = 2
-- pgstrata: parameter second_quantity int = 5
begin;
select w_tax from warehouse where w_id = :w_id;
select c_discount, c_last, c_credit from customer where c_w_id = :w_id and c_d_id = :d_id and c_id = :c_id;
update district set d_next_o_id = d_next_o_id + 1 where d_w_id = :w_id and d_id = :d_id
returning d_next_o_id - 1 as o_id, d_tax \gset
insert into orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt)
values (:o_id, :d_id, :w_id, :c_id, now(), 2);
insert into new_order (no_o_id, no_d_id, no_w_id) values (:o_id, :d_id, :w_id);
select i_price as first_price from item where i_id = :first_item \gset
update stock
set s_quantity = s_quantity - :first_quantity, s_ytd = s_ytd + :first_quantity, s_order_cnt = s_order_cnt + 1
where s_i_id = :first_item and s_w_id = :w_id;
insert into order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_quantity, ol_amount)
values (:o_id, :d_id, :w_id, 1, :first_item, :first_quantity, :first_quantity * :first_price::numeric);
select i_price as second_price from item where i_id = :second_item \gset
update stock
set s_quantity = s_quantity - :second_quantity, s_ytd = s_ytd + :second_quantity, s_order_cnt = s_order_cnt + 1
where s_i_id = :second_item and s_w_id = :w_id;
insert into order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_quantity, ol_amount)
values (:o_id, :d_id, :w_id, 2, :second_item, :second_quantity, :second_quantity * :second_price::numeric);
commit;

-- Takes a customer's payment.
-- pgstrata: program Payment
-- pgstrata: frequency 0.43
-- pgstrata: parameter w_id int = 1
-- pgstrata: parameter d_id int = 1
-- pgstrata: parameter c_id int = 1
-- pgstrata: parameter amount numeric = 10
begin;
update warehouse set w_ytd = w_ytd + :amount where w_id = :w_id returning w_name;
update district set d_ytd = d_ytd + :amount where d_w_id = :w_id and d_id = :d_id returning d_name;
update customer
set c_balance = c_balance - :amount, c_ytd_payment = c_ytd_payment + :amount, c_payment_cnt = c_payment_cnt + 1
where c_w_id = :w_id and c_d_id = :d_id and c_id = :c_id
returning c_first, c_last, c_credit, c_discount, c_balance;
insert into history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount)
values (:c_id, :d_id, :w_id, :d_id, :w_id, now(), :amount);
commit;

-- Shows a customer's last order.
-- pgstrata: program OrderStatus
-- pgstrata: frequency 0.04
-- pgstrata: parameter w_id int = 1
-- pgstrata: parameter d_id int = 1
-- pgstrata: parameter c_id int = 1
begin;
select c_first, c_last, c_balance from customer where c_w_id = :w_id and c_d_id = :d_id and c_id = :c_id;
select o_id, o_entry_d, o_carrier_id
from orders
where o_w_id = :w_id and o_d_id = :d_id and o_c_id = :c_id
order by o_id desc
limit 1 \gset
select ol_i_id, ol_quantity, ol_amount, ol_delivery_d
from order_line
where ol_w_id = :w_id and ol_d_id = :d_id and ol_o_id = :o_id;
commit;

-- Delivers the oldest new order of a district.
-- pgstrata: program Delivery
-- pgstrata: frequency 0.04
-- pgstrata: parameter w_id int = 1
-- pgstrata: parameter d_id int = 1
-- pgstrata: parameter carrier int = 7
begin;
select no_o_id as o_id
from new_order
where no_w_id = :w_id and no_d_id = :d_id
order by no_o_id
limit 1 \gset
delete from new_order where no_w_id = :w_id and no_d_id = :d_id and no_o_id = :o_id;
update orders set o_carrier_id = :carrier where o_w_id = :w_id and o_d_id = :d_id and o_id = :o_id
returning o_c_id as c_id \gset
update order_line set ol_delivery_d = now() where ol_w_id = :w_id and ol_d_id = :d_id and ol_o_id = :o_id;
select sum(ol_amount) as total
from order_line
where ol_w_id = :w_id and ol_d_id = :d_id and ol_o_id = :o_id \gset
update customer set c_balance = c_balance + :total::numeric, c_delivery_cnt = c_delivery_cnt + 1
where c_w_id = :w_id and c_d_id = :d_id and c_id = :c_id;
commit;

-- Counts the items of the last twenty orders that are short.
-- pgstrata: program StockLevel
-- pgstrata: frequency 0.04
-- pgstrata: parameter w_id int = 1
-- pgstrata: parameter d_id int = 1
-- pgstrata: parameter threshold int = 10
begin;
select d_next_o_id as next_o_id from district where d_w_id = :w_id and d_id = :d_id \gset
select count(distinct s_i_id)
from order_line
join stock on s_i_id = ol_i_id and s_w_id = ol_w_id
where ol_w_id = :w_id and ol_d_id = :d_id
  and ol_o_id < :next_o_id::int and ol_o_id >= :next_o_id::int - 20
  and s_quantity < :threshold;
commit;
