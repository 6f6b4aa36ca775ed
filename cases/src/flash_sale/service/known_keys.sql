-- All keys that have an order of a product, for the sold-out latch: whoever repeats one of them is not told "sold out".
-- $1 the product, $2 more than this many are not wanted.
select key
from flash_sale.orders
where product_id = $1
limit $2;
