-- Puts a product on sale with its stock in one row. $1 the product, $2 the units.
with product as (
    insert into flash_sale.product (product_id, initial)
    values ($1, $2)
    returning product_id, initial
)
insert into flash_sale.inventory (product_id, quantity)
select product_id, initial
from product;
