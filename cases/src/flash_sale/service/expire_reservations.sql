-- Returns unpaid reservations of one product to stock (of that with the oldest one), at most p_limit, each exactly once:
-- whoever changes the state from reserved to expired adds the unit, in the same transaction, and only one can change it.
-- Called by the sweeper, as often as it likes and from as many places as it likes.
--
-- The stock row is locked before any order is changed, as in buy_batch, so that the two never wait for each other
-- crosswise; one product at a time, for the same reason. A reservation that is just being paid is locked, and left alone.
create function flash_sale.expire_reservations(
    p_limit int,
    out product_id bigint,
    out returned bigint
)
language plpgsql
as $$
#variable_conflict use_column
begin
    select o.product_id
    into expire_reservations.product_id
    from flash_sale.orders as o
    where o.state = 'reserved'
        and o.expires_at <= now()
    order by o.expires_at
    limit 1
    for update skip locked;
    returned := 0;
    if not found then
        return;
    end if;

    perform
    from flash_sale.inventory as i
    where i.product_id = expire_reservations.product_id
    for update;

    with due as (
        select o.key
        from flash_sale.orders as o
        where o.state = 'reserved'
            and o.expires_at <= now()
            and o.product_id = expire_reservations.product_id
        order by o.expires_at
        limit p_limit
        for update skip locked
    )
    update flash_sale.orders as o
    set state = 'expired'
    from due
    where o.key = due.key;
    get diagnostics returned = row_count;

    update flash_sale.inventory as i
    set
        quantity = i.quantity + expire_reservations.returned,
        returned = i.returned + expire_reservations.returned
    where i.product_id = expire_reservations.product_id;
end
$$;
