-- NewOrder: the price of an item. $1 the item.
select i_price
from tpcc.item
where i_id = $1;
