-- What is left of each product after the run, for I7, and whether any unit came back meanwhile.
select
    a.product_id,
    a.quantity,
    coalesce(i.returned, 0) as returned
from flash_sale.available as a
left join flash_sale.inventory as i using (product_id);
