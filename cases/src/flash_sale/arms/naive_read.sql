-- What is left, as this session sees it now. By the time it writes, others have read the same. $1 the product.
select quantity
from flash_sale.inventory
where product_id = $1;
