-- The tables of TPC-C that its transactions meet in, without the columns that nobody computes with; money is in cents.
-- fillfactor: room on the page for new versions of rows that are written all the time.
create schema tpcc;

create table tpcc.warehouse (
    w_id bigint primary key,
    w_name text not null,
    w_tax bigint not null,
    w_ytd bigint not null
) with (fillfactor = 10);

create table tpcc.district (
    d_w_id bigint not null,
    d_id bigint not null,
    d_name text not null,
    d_tax bigint not null,
    d_ytd bigint not null,
    d_next_o_id bigint not null,
    primary key (d_w_id, d_id)
) with (fillfactor = 10);

create table tpcc.customer (
    c_w_id bigint not null,
    c_d_id bigint not null,
    c_id bigint not null,
    c_last text not null,
    c_credit text not null,
    c_discount bigint not null,
    c_balance bigint not null,
    c_ytd_payment bigint not null,
    c_payment_cnt bigint not null,
    c_delivery_cnt bigint not null,
    primary key (c_w_id, c_d_id, c_id)
) with (fillfactor = 50);

-- TPC-C's history has no key; here it is the request's.
create table tpcc.history (
    h_key uuid primary key,
    h_w_id bigint not null,
    h_d_id bigint not null,
    h_c_id bigint not null,
    h_amount bigint not null
);

create table tpcc.orders (
    o_w_id bigint not null,
    o_d_id bigint not null,
    o_id bigint not null,
    o_c_id bigint not null,
    o_carrier_id bigint,
    o_ol_cnt bigint not null,
    primary key (o_w_id, o_d_id, o_id)
);

create index orders_of_customer
on tpcc.orders (o_w_id, o_d_id, o_c_id, o_id);

create table tpcc.new_order (
    no_w_id bigint not null,
    no_d_id bigint not null,
    no_o_id bigint not null,
    primary key (no_w_id, no_d_id, no_o_id)
);

create table tpcc.order_line (
    ol_w_id bigint not null,
    ol_d_id bigint not null,
    ol_o_id bigint not null,
    ol_number bigint not null,
    ol_i_id bigint not null,
    ol_quantity bigint not null,
    ol_amount bigint not null,
    ol_carrier_id bigint,
    primary key (ol_w_id, ol_d_id, ol_o_id, ol_number)
);

create table tpcc.item (
    i_id bigint primary key,
    i_price bigint not null
);

create table tpcc.stock (
    s_w_id bigint not null,
    s_i_id bigint not null,
    s_quantity bigint not null,
    s_ytd bigint not null,
    s_order_cnt bigint not null,
    primary key (s_w_id, s_i_id)
) with (fillfactor = 50);

-- Conditions of reads are judged on what rows held before, too, where the log is watched.
alter table tpcc.orders replica identity full;

alter table tpcc.new_order replica identity full;

alter table tpcc.order_line replica identity full;
