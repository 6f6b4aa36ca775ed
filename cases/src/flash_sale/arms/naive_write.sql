-- Writes the stock as computed from what was read before, over what others have written since: a lost update, and a
-- unit that is sold twice. $1 the product, $2 the computed quantity.
update flash_sale.inventory
set quantity = $2
where product_id = $1;
