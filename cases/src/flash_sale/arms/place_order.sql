-- Writes the order of one unit. No row comes back if the key or the user has an order: then nothing may be taken from
-- the stock either. $1 the key, $2 the product, $3 the user, $4 the request's hash, $5 seconds to pay.
insert into flash_sale.orders (key, product_id, user_id, request_hash, expires_at)
values ($1, $2, $3, $4, now() + make_interval(secs => $5))
on conflict do nothing
returning order_id, expires_at;
