-- A product and what is left of it. $1 the product.
select
    p.initial,
    a.quantity
from flash_sale.product as p
join flash_sale.available as a using (product_id)
where p.product_id = $1;
