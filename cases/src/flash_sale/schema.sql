-- The tables that every way of selling shares, so that the ways can be compared: an accepted sale is always one row
-- in orders with the same index entries, whatever the stock is kept in.
create schema flash_sale;

-- What is on sale. initial never changes; the stock that is left is kept in one of the three tables below.
create table flash_sale.product (
    product_id bigint primary key,
    initial bigint not null check (initial >= 0)
);

-- The stock as one row, the hot row of this case. fillfactor: room on the page for its versions, so that each update
-- stays on the page and touches no index (HOT).
create table flash_sale.inventory (
    product_id bigint primary key references flash_sale.product,
    quantity bigint not null check (quantity >= 0),
    -- For the optimistic way only.
    version bigint not null default 0,
    -- How many units came back from expired reservations: quantity counts each of them again, exactly once.
    returned bigint not null default 0
) with (fillfactor = 10);

-- The stock divided among rows, for the sharded way.
create table flash_sale.bucket (
    product_id bigint not null references flash_sale.product,
    bucket int not null,
    quantity bigint not null check (quantity >= 0),
    primary key (product_id, bucket)
) with (fillfactor = 10);

-- The stock as one row a unit, for the tokens way. A unit that is sold is gone from here.
create table flash_sale.token (
    product_id bigint not null references flash_sale.product,
    token bigint not null,
    primary key (product_id, token)
);

-- Numbers flushes. An order's number is that of its flush and its place in it, so that one call numbers a whole batch
-- of at most 65,536; a way that sells one at a time has place 0.
create sequence flash_sale.order_number;

create type flash_sale.order_state as enum ('reserved', 'paid', 'expired');

create table flash_sale.orders (
    -- The client's idempotency key.
    key uuid primary key,
    -- Unique because the sequence never gives a number twice; looked up by nobody, so it has no index to pay for.
    order_id bigint not null default nextval('flash_sale.order_number') << 16,
    product_id bigint not null,
    user_id bigint not null,
    -- 64 bits of the SHA-256 of what was asked for: the same key with another request is told from a repetition.
    request_hash bigint not null,
    -- Until when a reservation can be paid.
    expires_at timestamptz not null,
    state flash_sale.order_state not null default 'reserved'
);

-- One live order for a user and a product; an expired one makes room. user_id first: nearly every comparison on the
-- way down the tree is decided by the first column, and product_id is the same all day.
create unique index orders_one_per_user
on flash_sale.orders (user_id, product_id)
where state <> 'expired';

-- What the sweeper looks for. It holds reservations only, so it stays small.
create index orders_to_expire
on flash_sale.orders (expires_at)
where state = 'reserved';

-- What is left of each product, wherever it is kept.
create view flash_sale.available as
select
    p.product_id,
    coalesce((select i.quantity from flash_sale.inventory as i where i.product_id = p.product_id), 0)
    + coalesce((select sum(b.quantity)::bigint from flash_sale.bucket as b where b.product_id = p.product_id), 0)
    + (select count(*) from flash_sale.token as t where t.product_id = p.product_id) as quantity
from flash_sale.product as p;
