-- A small shop with everything that makes PostgreSQL touch more than a statement says.
create table customers (
  id bigint primary key,
  email text unique,
  name text,
  credit numeric not null default 0
);
create table orders (
  id bigint generated always as identity primary key,
  customer_id bigint not null references customers on delete cascade on update cascade,
  status text not null default 'open',
  total numeric not null default 0,
  note text
);
create table products (
  id serial primary key,
  name text not null,
  stock int not null,
  price numeric not null,
  price_with_tax numeric generated always as (price * 1.2) stored
);
create table lines (
  order_id bigint references orders on delete cascade,
  number int,
  product_id int not null references products on delete restrict,
  quantity int not null,
  primary key (order_id, number)
);
create table reviews (
  id bigint primary key,
  product_id int references products on delete set null,
  stars int
);
create unique index one_review on reviews (product_id) where stars = 5;
create table audit (
  id bigint generated always as identity,
  what text,
  customer_id bigint
);
create table counters (name text primary key, n bigint not null);
create table events (at timestamptz not null, kind text) partition by range (at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table base (id int primary key, a int);
create table derived (b int) inherits (base);
create view open_orders as
select orders.id, orders.customer_id, orders.total, customers.name
from orders
join customers on customers.id = orders.customer_id
where orders.status = 'open';
create table guarded (id int primary key, owner text);
alter table guarded enable row level security;

create function count_customer() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    update counters set n = n + 1 where name = 'customers';
  end if;
  insert into audit (what, customer_id) values ('customer', new.id);
  return new;
end $$;
create trigger counting after insert or update of email on customers for each row execute function count_customer();

create function price_of(wanted int) returns numeric language sql stable as $$
  select price from products where id = wanted
$$;
create function buy(buyer bigint, wanted int) returns void language plpgsql as $$
begin
  update products set stock = stock - 1 where id = wanted;
  insert into orders (customer_id) values (buyer);
end $$;
create function lines_of(wanted bigint) returns setof lines language sql as $$ select * from lines where order_id = $1 $$;
