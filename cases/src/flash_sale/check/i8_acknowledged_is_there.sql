-- I8: whoever was told "yours" has an order, whatever happened to the server since.
select
    a.key,
    a.order_id,
    a.user_id
from acknowledged as a
where not exists (
    select from flash_sale.orders as o
    where o.key = a.key
);
