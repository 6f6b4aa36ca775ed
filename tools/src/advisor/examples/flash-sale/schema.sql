-- A product with a stock, and its orders.

create table product (
    id bigint primary key,
    stock int not null
);

create table purchase (
    id bigint generated always as identity primary key,
    product_id bigint not null references product,
    customer_id bigint not null,
    unique (product_id, customer_id)
);
