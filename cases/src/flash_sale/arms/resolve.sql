-- What to tell a request that sold nothing, from one snapshot: its key has an order (then order_id and the rest are
-- there), or the user has a live one, or the stock is gone; if none of these, it lost a race and may try again.
-- $1 the key, $2 the product, $3 the user. No row: there is no such product.
select
    a.quantity,
    k.order_id,
    k.request_hash,
    k.expires_at,
    exists (
        select from flash_sale.orders as u
        where u.user_id = $3
            and u.product_id = $2
            and u.state <> 'expired'
    ) as user_has_order
from flash_sale.available as a
left join flash_sale.orders as k on k.key = $1
where a.product_id = $2;
