-- How far each sale is. It reads all orders of a product: for a look now and then, not for every second.
select
    p.product_id,
    p.initial,
    a.quantity as available,
    o.reserved,
    o.paid,
    o.expired
from flash_sale.product as p
join flash_sale.available as a using (product_id)
cross join lateral (
    select
        count(*) filter (where o.state = 'reserved') as reserved,
        count(*) filter (where o.state = 'paid') as paid,
        count(*) filter (where o.state = 'expired') as expired
    from flash_sale.orders as o
    where o.product_id = p.product_id
) as o
order by p.product_id;
