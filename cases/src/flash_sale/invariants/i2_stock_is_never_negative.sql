-- I2: no product has less than nothing left, and no more live orders than units.
select
    p.product_id,
    p.initial,
    a.quantity as available
from flash_sale.product as p
join flash_sale.available as a using (product_id)
where a.quantity < 0
    or a.quantity > p.initial;
