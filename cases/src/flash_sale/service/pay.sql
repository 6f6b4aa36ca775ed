-- Pays a reservation, unless its time is over: it may be back in stock and sold again by now. No row: there is nothing
-- to pay, and find.sql says why. $1 the key.
update flash_sale.orders
set state = 'paid'
where key = $1
    and state = 'reserved'
    and expires_at > now()
returning order_id;
