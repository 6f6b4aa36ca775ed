-- Puts a product on sale with one row a unit. $1 the product, $2 the units.
with product as (
    insert into flash_sale.product (product_id, initial)
    values ($1, $2)
    returning product_id, initial
)
insert into flash_sale.token (product_id, token)
select
    product_id,
    token
from product
cross join generate_series(1, initial) as token;
