-- Fills warehouse 1. $1 its districts, $2 the customers of each, $3 the items. Every customer has one order of three
-- lines, whose amounts are nothing, as TPC-C has it for orders of the past; the last two thirds are not delivered yet.
with district as (
    select d_id
    from generate_series(1, $1::bigint) as d_id
),
customer as (
    select
        d_id,
        c_id
    from district
    cross join generate_series(1, $2::bigint) as c_id
),
item as (
    select i_id
    from generate_series(1, $3::bigint) as i_id
),
warehouses as (
    insert into tpcc.warehouse (w_id, w_name, w_tax, w_ytd)
    values (1, 'warehouse 1', 7, 0)
),
districts as (
    insert into tpcc.district (d_w_id, d_id, d_name, d_tax, d_ytd, d_next_o_id)
    select
        1,
        d_id,
        'district ' || d_id,
        d_id % 5,
        0,
        $2::bigint + 1
    from district
),
customers as (
    insert into tpcc.customer (
        c_w_id, c_d_id, c_id, c_last, c_credit, c_discount, c_balance, c_ytd_payment, c_payment_cnt, c_delivery_cnt
    )
    select
        1,
        d_id,
        c_id,
        'customer ' || c_id,
        'good',
        c_id % 10,
        0,
        0,
        0,
        0
    from customer
),
past as (
    insert into tpcc.orders (o_w_id, o_d_id, o_id, o_c_id, o_carrier_id, o_ol_cnt)
    select
        1,
        d_id,
        c_id,
        c_id,
        case when c_id <= $2::bigint / 3 then 1 end,
        3
    from customer
),
waiting as (
    insert into tpcc.new_order (no_w_id, no_d_id, no_o_id)
    select
        1,
        d_id,
        c_id
    from customer
    where c_id > $2::bigint / 3
),
lines as (
    insert into tpcc.order_line (
        ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_quantity, ol_amount, ol_carrier_id
    )
    select
        1,
        d_id,
        c_id,
        number,
        1 + (c_id * 3 + number) % $3::bigint,
        5,
        0,
        case when c_id <= $2::bigint / 3 then 1 end
    from customer
    cross join generate_series(1, 3) as number
),
items as (
    insert into tpcc.item (i_id, i_price)
    select
        i_id,
        100 + i_id
    from item
)
insert into tpcc.stock (s_w_id, s_i_id, s_quantity, s_ytd, s_order_cnt)
select
    1,
    i_id,
    20 + i_id % 80,
    0,
    0
from item;
