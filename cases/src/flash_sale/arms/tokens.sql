-- One row a unit: takes the first one that nobody else is just taking, so buyers never wait for each other. The price is
-- a row for each unit of stock, and dead rows to step over until vacuum has been there. No row: all that is left is
-- locked by others, who may yet give it back; resolve.sql tells.
-- $1 the key, $2 the product, $3 the user, $4 the request's hash, $5 seconds to pay.
with taken as (
    delete from flash_sale.token as t
    where (t.product_id, t.token) = (
        select
            c.product_id,
            c.token
        from flash_sale.token as c
        where c.product_id = $2
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
        order by c.token
        limit 1
        for update skip locked
    )
    returning t.product_id
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
