-- The plan's statement: takes one unit if nobody has changed the row since it was read. Of all who read the same
-- version one wins; the others come away with no row and begin again. The plan's sketch leaves out that the version
-- has to grow, without which it guards nothing. $1 the product, $2 the version that was read.
update flash_sale.inventory
set
    quantity = quantity - 1,
    version = version + 1
where product_id = $1
    and quantity >= 1
    and version = $2
returning *;
