-- What delivery_lines.sql does, with what whoever watches needs. $1 the warehouse, $2 the district, $3 the order, $4
-- the carrier.
update tpcc.order_line
set ol_carrier_id = $4
where ol_w_id = $1
    and ol_d_id = $2
    and ol_o_id = $3
returning
    ol_amount,
    array[ol_w_id::text, ol_d_id::text, ol_o_id::text, ol_number::text] as row_key,
    xmin::text as row_xmin;
