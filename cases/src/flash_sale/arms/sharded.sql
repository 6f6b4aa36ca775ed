-- As conditional.sql, but the stock lies in several rows, and each session begins with another one ($6): so many buyers
-- wait for each other less. Near the end a session goes on to whichever row still has stock, so nobody is told "sold
-- out" while there is some; if that row is emptied by others meanwhile, no row comes back, and resolve.sql tells.
-- $1 the key, $2 the product, $3 the user, $4 the request's hash, $5 seconds to pay, $6 the bucket to begin with.
with taken as (
    update flash_sale.bucket as b
    set quantity = b.quantity - 1
    where b.product_id = $2
        and b.bucket = (
            select c.bucket
            from flash_sale.bucket as c
            where c.product_id = $2
                and c.quantity >= 1
            order by
                c.bucket < $6,
                c.bucket
            limit 1
        )
        and b.quantity >= 1
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
    returning b.product_id
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
