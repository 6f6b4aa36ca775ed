-- One statement, one round trip: takes a unit if there is one and writes its order. Nobody waits for a client between
-- the two, but the next buyer still waits for this one's flush of the log.
-- If the same key or user comes in twice at once, the second insert fails on its unique index and takes its update back
-- with it; tried again, it finds the order of the first. No row: see resolve.sql.
-- $1 the key, $2 the product, $3 the user, $4 the request's hash, $5 seconds to pay.
with taken as (
    update flash_sale.inventory as i
    set quantity = i.quantity - 1
    where i.product_id = $2
        and i.quantity >= 1
        and not exists (
            select from flash_sale.orders as k
            where k.key = $1
        )
        and not exists (
            select from flash_sale.orders as u
            where u.user_id = $3
                and u.product_id = $2
                and u.state <> 'expired'
        )
    returning i.product_id
)
insert into flash_sale.orders (key, product_id, user_id, request_hash, expires_at)
select
    $1,
    taken.product_id,
    $3,
    $4,
    now() + make_interval(secs => $5)
from taken
returning order_id, expires_at;
