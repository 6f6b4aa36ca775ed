-- I4: a user has at most one live order of a product. (That a key has at most one is the primary key.)
select
    product_id,
    user_id,
    count(*) as live_orders,
    array_agg(order_id order by order_id) as order_ids
from flash_sale.orders
where state <> 'expired'
group by
    product_id,
    user_id
having count(*) > 1;
