-- What place_order.sql does, with the row's key and version for whoever watches. $1 the key, $2 the product, $3 the
-- user, $4 the request's hash, $5 seconds to pay.
insert into flash_sale.orders (key, product_id, user_id, request_hash, expires_at)
values ($1, $2, $3, $4, now() + make_interval(secs => $5))
on conflict do nothing
returning
    order_id,
    expires_at,
    array[key::text] as row_key,
    xmin::text as row_xmin;
