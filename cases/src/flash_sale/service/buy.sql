-- One product's part of a flush: see buy_batch.sql. $1 the product; $2 keys, $3 users, $4 hashes of the requests and
-- $5 whether each may be known already, all of one length; $6 seconds to pay.
select
    product_exists,
    sold,
    first_order_id,
    expires_at,
    known_places,
    known_order_ids,
    known_request_hashes,
    known_expires_at
from flash_sale.buy_batch($1, $2, $3, $4, $5, $6);
