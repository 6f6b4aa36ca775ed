-- Puts a product on sale with its stock divided among buckets, as evenly as can be. $1 the product, $2 the units, $3 how
-- many buckets.
with product as (
    insert into flash_sale.product (product_id, initial)
    values ($1, $2)
    returning product_id, initial
)
insert into flash_sale.bucket (product_id, bucket, quantity)
select
    product_id,
    bucket,
    initial / $3 + case when bucket < initial % $3 then 1 else 0 end
from product
cross join generate_series(0, $3 - 1) as bucket;
