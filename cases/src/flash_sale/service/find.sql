-- An order by its key. $1 the key. A reservation whose time is over counts as expired even before the sweeper came by.
select
    order_id,
    product_id,
    user_id,
    expires_at,
    case when state = 'reserved' and expires_at <= now() then 'expired' else state::text end as state
from flash_sale.orders
where key = $1;
