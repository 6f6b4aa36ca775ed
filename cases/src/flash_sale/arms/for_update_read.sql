-- What is left, with the row locked until the transaction ends: buyers stand in line for as long as each one's
-- transaction takes, its flush of the log included. $1 the product.
select quantity
from flash_sale.inventory
where product_id = $1
for update;
