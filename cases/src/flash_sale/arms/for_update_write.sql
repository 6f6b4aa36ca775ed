-- Takes one unit. Safe because the row is locked. $1 the product.
update flash_sale.inventory
set quantity = quantity - 1
where product_id = $1;
