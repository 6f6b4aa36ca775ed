-- What for_update_write.sql does, with the row's key and new version for whoever watches. $1 the product.
update flash_sale.inventory
set quantity = quantity - 1
where product_id = $1
returning
    array[product_id::text] as row_key,
    xmin::text as row_xmin;
