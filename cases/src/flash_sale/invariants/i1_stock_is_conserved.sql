-- I1: what was sold and is not returned, and what is left, make up the stock that there was; in every snapshot.
-- A row: units were sold twice (orders_too_many above zero) or got lost (below).
select
    p.product_id,
    p.initial,
    o.live_orders,
    a.quantity as available,
    o.live_orders + a.quantity - p.initial as orders_too_many
from flash_sale.product as p
join flash_sale.available as a using (product_id)
cross join lateral (
    select count(*) as live_orders
    from flash_sale.orders as o
    where o.product_id = p.product_id
        and o.state <> 'expired'
) as o
where o.live_orders + a.quantity <> p.initial;
