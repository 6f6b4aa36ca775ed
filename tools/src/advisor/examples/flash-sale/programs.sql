-- Buying without a transaction: what was read has changed when it is acted upon, and no isolation level helps.

-- pgstrata: program BuyInPieces
select stock as left_over from product where id = :product \gset
update product set stock = :left_over - 1 where id = :product;
insert into purchase (product_id, customer_id) values (:product, :customer);

-- pgstrata: program BuyAtOnce
begin;
update product set stock = stock - 1 where id = :product and stock > 0;
insert into purchase (product_id, customer_id) values (:product, :customer);
commit;
