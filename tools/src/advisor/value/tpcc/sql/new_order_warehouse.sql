-- NewOrder: the tax of the warehouse. $1 the warehouse.
select w_tax
from tpcc.warehouse
where w_id = $1;
