-- Sells one product to a batch of buyers, in the order in which they came: stock, limit and repeated keys decided for
-- thousands of requests under one lock of one row and (with the commit) one flush of the log. Called by the sequencer,
-- the only writer of orders on its server; within a batch each key and each user is there once.
--
-- An ordinary sale costs nothing in the answer: the first `sold` places that are not in known_places have the orders
-- first_order_id + place - 1, the places after them find the stock sold out. known_* are the requests that the table
-- knows: by their key (with the order that it has), or because the user has a live order (nulls).
--
-- p_may_be_known says for each request whether the caller has reason to think so. It is a hint: where it is wrong the
-- unique indexes say so when the order is inserted, and then the table is asked about everybody. So the usual request
-- costs one descent of each index, not two.
create function flash_sale.buy_batch(
    p_product_id bigint,
    p_keys uuid[],
    p_user_ids bigint[],
    p_request_hashes bigint[],
    p_may_be_known boolean[],
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
-- The plan is made once for a session, perhaps while the table is empty, and must be right for millions of rows: an
-- index descent for each request that may be known, never a scan.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_memoize = off
as $$
declare
    v_quantity bigint;
    v_ask boolean[] := p_may_be_known;
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
    if v_quantity < cardinality(p_keys) then
        v_ask := array_fill(true, array[cardinality(p_keys)]);
    end if;
    first_order_id := nextval('flash_sale.order_number') << 16;
    expires_at := now() + make_interval(secs => p_hold_seconds);

    loop
        select
            coalesce(array_agg(r.place), '{}'),
            coalesce(array_agg(k.order_id), '{}'),
            coalesce(array_agg(k.request_hash), '{}'),
            coalesce(array_agg(k.expires_at), '{}')
        into known_places, known_order_ids, known_request_hashes, known_expires_at
        from unnest(p_keys, p_user_ids, v_ask) with ordinality as r (key, user_id, ask, place)
        left join flash_sale.orders as k on k.key = r.key
        left join flash_sale.orders as u on u.user_id = r.user_id
            and u.product_id = p_product_id
            and u.state <> 'expired'
        where r.ask
            and (k.key is not null or u.key is not null);

        v_is_known := array_fill(false, array[cardinality(p_keys)]);
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
            if true = all (v_ask) then
                raise;
            end if;
            v_ask := array_fill(true, array[cardinality(p_keys)]);
        end;
    end loop;

    update flash_sale.inventory as i
    set quantity = i.quantity - sold
    where i.product_id = p_product_id;
end
$$;
