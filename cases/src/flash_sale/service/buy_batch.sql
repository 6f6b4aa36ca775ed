-- Sells one product to a batch of buyers, in the order in which they came: stock, limit and repeated keys decided for
-- thousands of requests under one lock of one row and (with the commit) one flush of the log. Called by the sequencer,
-- the only writer of orders on its server; within a batch each key and each user is there once.
--
-- An ordinary sale costs nothing in the answer: the first `sold` places that are not in known_places have the orders
-- first_order_id + place - 1, the places after them find the stock sold out. known_* are the requests that the table
-- knows: by their key (with the order that it has), or because the user has a live order (nulls).
--
-- p_ask names the places of which the caller has reason to think so. It is a hint: where it is wrong the unique indexes
-- say so when the order is inserted, and then the table is asked about everybody. So the usual request costs one descent
-- of each index, not two.
create function flash_sale.buy_batch(
    p_product_id bigint,
    p_keys uuid[],
    p_user_ids bigint[],
    p_request_hashes bigint[],
    p_ask int[],
    p_hold_seconds double precision,
    out product_exists boolean,
    out sold bigint,
    out first_order_id bigint,
    out expires_at timestamptz,
    out known_places int[],
    out known_order_ids bigint[],
    out known_request_hashes bigint[],
    out known_expires_at timestamptz[]
)
language plpgsql
-- The plan is made once for a session, perhaps while the table is small, and must be right for millions of rows: an
-- index descent for each place that is asked about, never a scan. "limit 1" below keeps the planner from joining.
set enable_seqscan = off
as $$
declare
    v_quantity bigint;
    v_count constant int := cardinality(p_keys);
    v_ask int[] := p_ask;
    v_is_known boolean[];
    v_place int;
begin
    -- From here on nobody else sells or returns this product. Each statement below has a snapshot of its own (read
    -- committed), taken after the lock.
    select i.quantity
    into v_quantity
    from flash_sale.inventory as i
    where i.product_id = p_product_id
    for update;
    product_exists := found;
    -- Not every order is going to be inserted, so the indexes do not get their say on every one.
    if v_quantity < v_count then
        v_ask := array(select generate_series(1, v_count));
    end if;
    first_order_id := nextval('flash_sale.order_number') << 16;
    expires_at := now() + make_interval(secs => p_hold_seconds);

    loop
        select
            coalesce(array_agg(a.place), '{}'),
            coalesce(array_agg(k.order_id), '{}'),
            coalesce(array_agg(k.request_hash), '{}'),
            coalesce(array_agg(k.expires_at), '{}')
        into known_places, known_order_ids, known_request_hashes, known_expires_at
        from unnest(v_ask) as a (place)
        left join lateral (
            select
                o.order_id,
                o.request_hash,
                o.expires_at
            from flash_sale.orders as o
            where o.key = p_keys[a.place]
            limit 1
        ) as k on true
        left join lateral (
            select o.order_id
            from flash_sale.orders as o
            where o.user_id = p_user_ids[a.place]
                and o.product_id = p_product_id
                and o.state <> 'expired'
            limit 1
        ) as u on true
        where k.order_id is not null
            or u.order_id is not null;

        v_is_known := array_fill(false, array[v_count]);
        foreach v_place in array known_places loop
            v_is_known[v_place] := true;
        end loop;

        begin
            insert into flash_sale.orders (key, order_id, product_id, user_id, request_hash, expires_at)
            select
                r.key,
                buy_batch.first_order_id + r.place - 1,
                p_product_id,
                r.user_id,
                r.request_hash,
                buy_batch.expires_at
            from unnest(p_keys, p_user_ids, p_request_hashes, v_is_known)
                with ordinality as r (key, user_id, request_hash, is_known, place)
            where not r.is_known
            limit v_quantity;
            get diagnostics sold = row_count;
            exit;
        exception when unique_violation then
            -- Not twice: when everything was asked for, somebody else is writing orders, and that is for people.
            if cardinality(v_ask) = v_count then
                raise;
            end if;
            v_ask := array(select generate_series(1, v_count));
        end;
    end loop;

    update flash_sale.inventory as i
    set quantity = i.quantity - sold
    where i.product_id = p_product_id;
end
$$;
