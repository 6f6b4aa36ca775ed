-- One sweep. $1 how many reservations at most. No product: nothing was due.
select
    product_id,
    returned
from flash_sale.expire_reservations($1);
