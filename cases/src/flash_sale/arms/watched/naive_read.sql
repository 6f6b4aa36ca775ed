-- What naive_read.sql reads, with the row's key and version for whoever watches. $1 the product.
select
    quantity,
    array[product_id::text] as row_key,
    xmin::text as row_xmin
from flash_sale.inventory
where product_id = $1;
