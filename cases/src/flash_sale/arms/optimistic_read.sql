-- What is left, and the version that this is true of. $1 the product.
select
    quantity,
    version
from flash_sale.inventory
where product_id = $1;
