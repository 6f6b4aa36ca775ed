-- I3: and it is the order that he was told about.
select
    a.key,
    a.order_id as acknowledged_order_id,
    o.order_id,
    a.user_id as acknowledged_user_id,
    o.user_id
from acknowledged as a
join flash_sale.orders as o on o.key = a.key
where o.order_id <> a.order_id
    or o.user_id <> a.user_id;
