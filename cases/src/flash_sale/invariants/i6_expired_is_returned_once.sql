-- I6: each expired reservation went back to stock, and once. Both sides change in one transaction.
select
    i.product_id,
    i.returned,
    o.expired
from flash_sale.inventory as i
cross join lateral (
    select count(*) as expired
    from flash_sale.orders as o
    where o.product_id = i.product_id
        and o.state = 'expired'
) as o
where i.returned <> o.expired;
