-- TPC-C, as far as its five transactions touch it.

create table warehouse (
    w_id int primary key,
    w_name text not null,
    w_tax numeric not null,
    w_ytd numeric not null
);

create table district (
    d_w_id int not null references warehouse,
    d_id int not null,
    d_tax numeric not null,
    d_ytd numeric not null,
    d_next_o_id int not null,
    primary key (d_w_id, d_id)
);

create table customer (
    c_w_id int not null,
    c_d_id int not null,
    c_id int not null,
    c_last text not null,
    c_credit text not null,
    c_discount numeric not null,
    c_balance numeric not null,
    c_ytd_payment numeric not null,
    primary key (c_w_id, c_d_id, c_id),
    foreign key (c_w_id, c_d_id) references district
);

create table stock (
    s_w_id int not null,
    s_i_id int not null,
    s_quantity int not null,
    s_ytd int not null,
    primary key (s_w_id, s_i_id)
);

create table orders (
    o_w_id int not null,
    o_d_id int not null,
    o_id int not null,
    o_c_id int not null,
    o_carrier_id int,
    primary key (o_w_id, o_d_id, o_id)
);

create table order_line (
    ol_w_id int not null,
    ol_d_id int not null,
    ol_o_id int not null,
    ol_number int not null,
    ol_i_id int not null,
    ol_quantity int not null,
    ol_amount numeric not null,
    ol_delivery_d timestamptz,
    primary key (ol_w_id, ol_d_id, ol_o_id, ol_number)
);
