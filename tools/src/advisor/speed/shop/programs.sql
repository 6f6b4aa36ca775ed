-- The fifty programs of the shop.

-- pgstrata: program SignUp
begin;
select customer_id from customers where email = :email;
insert into customers (customer_id, email, name) values (:customer, :email, :name);
insert into carts (cart_id, customer_id) values (:cart, :customer);
commit;

-- pgstrata: program LogIn
begin;
select customer_id as customer, name, status from customers where email = :email \gset
update customers set last_seen = now() where customer_id = :customer;
select cart_id, state from carts where customer_id = :customer and state = 'open';
commit;

-- pgstrata: program ShowProfile
begin;
select name, email, points, credit from customers where customer_id = :customer;
select address_id, street, city, is_default from addresses where customer_id = :customer;
select order_id, status, total from orders where customer_id = :customer order by placed_at desc;
commit;

-- pgstrata: program ChangeEmail
begin;
select customer_id from customers where email = :email;
update customers set email = :email where customer_id = :customer;
commit;

create function add_address(customer bigint, address bigint, street_name text, city_name text, make_default boolean)
returns void language plpgsql as $$
begin
  insert into addresses (address_id, customer_id, street, city) values (address, customer, street_name, city_name);
  if make_default then
    update addresses set is_default = false where customer_id = customer and is_default;
    update addresses set is_default = true where address_id = address;
  end if;
end $$;

create function remove_address(customer bigint, address bigint) returns boolean language plpgsql as $$
declare
  used bigint;
begin
  select count(*) into used from orders where address_id = address;
  if used > 0 then
    return false;
  end if;
  delete from addresses where address_id = address and customer_id = customer;
  return true;
end $$;

-- pgstrata: program CloseAccount
begin;
select count(*) from orders where customer_id = :customer and status = 'new';
update customers set status = 'closed', email = :tombstone where customer_id = :customer;
delete from carts where customer_id = :customer;
commit;

-- pgstrata: program ListCategory
begin;
select title from categories where category_id = :category;
select product_id, title, price from products where category_id = :category and is_active order by title;
commit;

-- pgstrata: program ShowProduct
begin;
select title, price, is_active from products where product_id = :product;
select sum(quantity - reserved) from stock where product_id = :product;
select stars, body from reviews where product_id = :product and not is_hidden;
update products set views = views + 1 where product_id = :product;
commit;

-- pgstrata: program AddProduct
begin;
insert into products (product_id, category_id, supplier_id, title, price)
values (:product, :category, :supplier, :title, :price);
insert into stock (product_id, warehouse_id, quantity) values (:product, :warehouse, 0);
commit;

-- pgstrata: program ChangePrice
begin;
select price from products where product_id = :product;
update products set price = :price where product_id = :product;
commit;

create function retire_product(product bigint) returns boolean language plpgsql as $$
declare
  left_over bigint;
begin
  select sum(quantity) into left_over from stock where product_id = product;
  if left_over > 0 then
    update products set is_active = false where product_id = product;
    return false;
  end if;
  delete from cart_items where product_id = product;
  update products set is_active = false where product_id = product;
  return true;
end $$;

-- pgstrata: program RaisePrices
begin;
update products set price = price * 1.05 where category_id = :category;
select count(*), avg(price) from products where category_id = :category;
commit;

-- pgstrata: program MoveCategory
begin;
select parent_id from categories where category_id = :category;
select title from categories where category_id = :target;
update categories set parent_id = :target where category_id = :category;
commit;

-- pgstrata: program MergeCategories
begin;
update products set category_id = :target where category_id = :category;
update categories set parent_id = :target where parent_id = :category;
delete from categories where category_id = :category;
commit;

-- pgstrata: program RateSupplier
begin;
select count(*) from products where supplier_id = :supplier and is_active;
select avg(stars) from reviews join products using (product_id) where supplier_id = :supplier;
update suppliers set rating = :rating where supplier_id = :supplier;
commit;

-- pgstrata: program ReceiveGoods
begin;
update stock set quantity = quantity + :quantity where product_id = :product and warehouse_id = :warehouse;
update warehouses set used = used + :quantity where warehouse_id = :warehouse;
select capacity, used from warehouses where warehouse_id = :warehouse;
commit;

create function move_stock(product bigint, source int, target int, amount int) returns boolean language plpgsql as $$
declare
  available int;
begin
  select quantity - reserved into available from stock where product_id = product and warehouse_id = source;
  if available < amount then
    return false;
  end if;
  update stock set quantity = quantity - amount where product_id = product and warehouse_id = source;
  insert into stock (product_id, warehouse_id, quantity) values (product, target, amount)
  on conflict (product_id, warehouse_id) do update set quantity = stock.quantity + excluded.quantity;
  update warehouses set used = used - amount where warehouse_id = source;
  update warehouses set used = used + amount where warehouse_id = target;
  return true;
end $$;

-- pgstrata: program CountStock
begin;
select quantity, reserved from stock where product_id = :product and warehouse_id = :warehouse for update;
update stock set quantity = :counted where product_id = :product and warehouse_id = :warehouse;
commit;

-- pgstrata: program WarehouseReport
begin;
select warehouse_id, city, capacity, used from warehouses order by warehouse_id;
select warehouse_id, sum(quantity) from stock group by warehouse_id;
commit;

-- pgstrata: program LowStock
begin;
select product_id, warehouse_id, quantity from stock where quantity - reserved < :threshold;
select product_id, title, supplier_id from products where is_active;
commit;

-- pgstrata: program OpenCart
begin;
select cart_id from carts where customer_id = :customer and state = 'open';
insert into carts (cart_id, customer_id) values (:cart, :customer);
commit;

create function put_in_cart(cart bigint, product bigint, amount int) returns boolean language plpgsql as $$
declare
  active boolean;
begin
  select is_active into active from products where product_id = product;
  if not active then
    return false;
  end if;
  insert into cart_items (cart_id, product_id, quantity) values (cart, product, amount)
  on conflict (cart_id, product_id) do update set quantity = cart_items.quantity + excluded.quantity;
  return true;
end $$;

-- pgstrata: program ChangeQuantity
begin;
select state from carts where cart_id = :cart;
update cart_items set quantity = :quantity where cart_id = :cart and product_id = :product;
commit;

-- pgstrata: program TakeOutOfCart
begin;
delete from cart_items where cart_id = :cart and product_id = :product;
select count(*) from cart_items where cart_id = :cart;
commit;

-- pgstrata: program ShowCart
begin;
select state, coupon_code from carts where cart_id = :cart;
select product_id, quantity, price
from cart_items
join products using (product_id)
where cart_id = :cart;
commit;

create function apply_coupon(cart bigint, coupon text) returns int language plpgsql as $$
declare
  remaining int;
  percent int;
begin
  select uses_left, discount into remaining, percent from coupons where code = coupon;
  if remaining <= 0 then
    return 0;
  end if;
  update carts set coupon_code = coupon where cart_id = cart;
  return percent;
end $$;

-- pgstrata: program CreateCoupon
begin;
insert into coupons (code, discount, uses_left, expires_at) values (:code, :discount, :uses, :expires);
commit;

-- pgstrata: program ExpireCoupons
begin;
delete from coupons where expires_at < now();
commit;

create function place_order(
  cart bigint, customer bigint, address bigint, order_number bigint,
  first_product bigint, first_amount int, second_product bigint, second_amount int, warehouse int
) returns boolean language plpgsql as $$
declare
  cart_state text;
  available int;
begin
  select state into cart_state from carts where cart_id = cart for update;
  if cart_state <> 'open' then
    return false;
  end if;
  select quantity - reserved into available from stock where product_id = first_product and warehouse_id = warehouse;
  if available < first_amount then
    return false;
  end if;
  insert into orders (order_id, customer_id, address_id) values (order_number, customer, address);
  update stock set reserved = reserved + first_amount where product_id = first_product and warehouse_id = warehouse;
  insert into order_items (order_id, line, product_id, quantity, price)
  values (order_number, 1, first_product, first_amount, 1);
  if second_product is not null then
    update stock set reserved = reserved + second_amount
    where product_id = second_product and warehouse_id = warehouse;
    insert into order_items (order_id, line, product_id, quantity, price)
    values (order_number, 2, second_product, second_amount, 1);
  end if;
  update carts set state = 'ordered' where cart_id = cart;
  return true;
end $$;

-- pgstrata: program RedeemCoupon
begin;
update coupons set uses_left = uses_left - 1 where code = :code and uses_left > 0;
update orders set total = total * (100 - :discount) / 100 where order_id = :order;
commit;

-- pgstrata: program ShowOrder
begin;
select status, total, placed_at from orders where order_id = :order;
select line, product_id, quantity, price from order_items where order_id = :order;
select state, amount from payments where order_id = :order;
select state, tracking from shipments where order_id = :order;
commit;

create function cancel_order(order_number bigint, warehouse int) returns boolean language plpgsql as $$
declare
  current_status text;
  item record;
begin
  select status into current_status from orders where order_id = order_number for update;
  if current_status <> 'new' then
    return false;
  end if;
  for item in select product_id, quantity from order_items where order_id = order_number loop
    update stock set reserved = reserved - item.quantity
    where product_id = item.product_id and warehouse_id = warehouse;
  end loop;
  update orders set status = 'cancelled' where order_id = order_number;
  return true;
end $$;

-- pgstrata: program StartPayment
begin;
select total, status from orders where order_id = :order;
insert into payments (payment_id, order_id, amount) values (:payment, :order, :amount);
commit;

create function confirm_payment(payment bigint, order_number bigint) returns boolean language plpgsql as $$
declare
  payment_state text;
begin
  select state into payment_state from payments where payment_id = payment;
  if payment_state <> 'pending' then
    return false;
  end if;
  update payments set state = 'paid' where payment_id = payment;
  update orders set status = 'paid' where order_id = order_number;
  return true;
end $$;

-- pgstrata: program FailPayment
begin;
update payments set state = 'failed' where payment_id = :payment and state = 'pending';
commit;

create function refund(payment bigint, customer bigint, how_much numeric) returns boolean language plpgsql as $$
declare
  paid numeric;
begin
  select amount into paid from payments where payment_id = payment;
  if paid < how_much then
    return false;
  end if;
  update payments set amount = amount - how_much where payment_id = payment;
  update customers set credit = credit + how_much where customer_id = customer;
  return true;
end $$;

create function pay_with_credit(customer bigint, order_number bigint, how_much numeric) returns boolean
language plpgsql as $$
declare
  available numeric;
begin
  select credit into available from customers where customer_id = customer;
  if available < how_much then
    return false;
  end if;
  update customers set credit = credit - how_much where customer_id = customer;
  update orders set status = 'paid' where order_id = order_number;
  return true;
end $$;

-- pgstrata: program EarnPoints
begin;
select total from orders where order_id = :order;
update customers set points = points + :points where customer_id = :customer;
commit;

create function spend_points(customer bigint, order_number bigint, how_many int) returns boolean language plpgsql as $$
declare
  available int;
begin
  select points into available from customers where customer_id = customer for no key update;
  if available < how_many then
    return false;
  end if;
  update customers set points = points - how_many where customer_id = customer;
  update orders set total = total - how_many where order_id = order_number;
  return true;
end $$;

create function pack_order(order_number bigint, shipment bigint, warehouse int) returns boolean language plpgsql as $$
declare
  current_status text;
  item record;
begin
  select status into current_status from orders where order_id = order_number;
  if current_status <> 'paid' then
    return false;
  end if;
  insert into shipments (shipment_id, order_id, warehouse_id) values (shipment, order_number, warehouse);
  for item in select product_id, quantity from order_items where order_id = order_number loop
    update stock set quantity = quantity - item.quantity, reserved = reserved - item.quantity
    where product_id = item.product_id and warehouse_id = warehouse;
  end loop;
  update orders set status = 'packed' where order_id = order_number;
  return true;
end $$;

-- pgstrata: program ShipOrder
begin;
update shipments set state = 'shipped', tracking = :tracking where shipment_id = :shipment
returning order_id as order \gset
update orders set status = 'shipped' where order_id = :order;
commit;

-- pgstrata: program Delivered
begin;
update shipments set state = 'delivered' where shipment_id = :shipment;
update orders set status = 'delivered' where order_id = :order and status = 'shipped';
commit;

-- pgstrata: program NextToPack
begin;
select order_id from orders where status = 'paid' order by placed_at limit 1 for update skip locked;
commit;

-- pgstrata: program ShipmentsOfWarehouse
begin;
select shipment_id, order_id, state from shipments where warehouse_id = :warehouse and state = 'packing';
select city from warehouses where warehouse_id = :warehouse;
commit;

-- pgstrata: program WriteReview
begin;
select count(*) from order_items join orders using (order_id) where customer_id = :customer and product_id = :product;
insert into reviews (product_id, customer_id, stars, body) values (:product, :customer, :stars, :body)
on conflict (product_id, customer_id) do update set stars = excluded.stars, body = excluded.body;
commit;

-- pgstrata: program HideReview
begin;
update reviews set is_hidden = true where product_id = :product and customer_id = :customer;
commit;

-- pgstrata: program BestProducts
begin;
select product_id, avg(stars) from reviews where not is_hidden group by product_id;
select product_id, title, views from products where is_active order by views desc;
commit;

-- pgstrata: program DailySales
begin;
select count(*), sum(total) from orders where placed_at >= :day::timestamptz;
select sum(amount) from payments where state = 'paid';
commit;

-- pgstrata: program CustomerValue
begin;
select sum(total) from orders where customer_id = :customer and status = 'delivered';
select points, credit from customers where customer_id = :customer;
commit;
