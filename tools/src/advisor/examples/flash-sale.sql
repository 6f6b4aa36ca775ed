-- A flash sale: orders take stock of one item. BuyByReading computes the new stock in the client and loses updates at read
-- committed; BuyAtOnce lets the update do it, and is safe at every level.

create table item (
  item_id bigint primary key,
  price numeric not null,
  stock int not null check (stock >= 0)
);

create table purchase (
  purchase_id uuid primary key default gen_random_uuid(),
  item_id bigint not null references item,
  buyer bigint not null,
  unique (item_id, buyer)
);

-- Programs

-- Reads the stock, then writes what the client computed.
-- pgstrata: program BuyByReading
-- pgstrata: frequency 0.4
-- pgstrata: parameter item bigint = 1
-- pgstrata: parameter buyer bigint = 7
begin;
select stock from item where item_id = :item \gset
update item set stock = :stock::int - 1 where item_id = :item and :stock::int > 0;
insert into purchase (item_id, buyer) values (:item, :buyer);
commit;

-- Takes one where there is one.
-- pgstrata: program BuyAtOnce
-- pgstrata: frequency 0.4
-- pgstrata: parameter item bigint = 1
-- pgstrata: parameter buyer bigint = 8
begin;
update item set stock = stock - 1 where item_id = :item and stock > 0;
insert into purchase (item_id, buyer) values (:item, :buyer);
commit;

-- Shows what is left.
-- pgstrata: program Look
-- pgstrata: frequency 0.2
-- pgstrata: parameter item bigint = 1
select price, stock from item where item_id = :item;
