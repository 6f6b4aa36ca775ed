-- What naive_write.sql does, with the row's key and new version for whoever watches. $1 the product, $2 the computed
-- quantity.
update flash_sale.inventory
set quantity = $2
where product_id = $1
returning
    array[product_id::text] as row_key,
    xmin::text as row_xmin;
