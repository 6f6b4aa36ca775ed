-- StockLevel: how many items of these orders are short in stock. $1 the warehouse, $2 the district, $3 and $4 the
-- orders from and to, $5 the threshold.
select count(distinct s_i_id) as low
from tpcc.order_line
join tpcc.stock on s_w_id = ol_w_id and s_i_id = ol_i_id
where ol_w_id = $1
    and ol_d_id = $2
    and ol_o_id >= $3
    and ol_o_id < $4
    and s_quantity < $5;
