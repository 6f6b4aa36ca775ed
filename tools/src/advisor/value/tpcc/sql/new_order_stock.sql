-- NewOrder: takes an item from the stock, which is filled up when it runs low. $1 the warehouse, $2 the item, $3 how
-- many.
update tpcc.stock
set
    s_quantity = case when s_quantity - $3 >= 10 then s_quantity - $3 else s_quantity - $3 + 91 end,
    s_ytd = s_ytd + $3,
    s_order_cnt = s_order_cnt + 1
where s_w_id = $1
    and s_i_id = $2
returning s_quantity;
