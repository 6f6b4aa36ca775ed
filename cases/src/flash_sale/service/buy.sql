-- One product's part of a flush: see buy_batch.sql. $1 the product; $2 keys, $3 users and $4 hashes of the requests, all
-- of one length; $5 the places, from 1, that may be known already; $6 seconds to pay.
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
