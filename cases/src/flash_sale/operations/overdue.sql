-- Reservations whose time is over and that are not back in stock yet, and the oldest of them. More than a sweep's interval
-- behind: the sweeper is not running, or cannot keep up.
select
    product_id,
    count(*) as overdue,
    now() - min(expires_at) as oldest
from flash_sale.orders
where state = 'reserved'
    and expires_at <= now()
group by product_id;
