-- Writes a batch of transfers that were admitted one after the other, from the accounts as the program remembers them.
-- It is right to remember because nobody else posts here; and it is made sure of: every account that was looked at must
-- still be as remembered, or nothing is written (40001) and the program reads again. So a batch is one serializable
-- transaction, whoever froze an account meanwhile. 40001 also if a key is in the books already that the program does not
-- remember, and when the day is over that limits were counted by.
--
-- Columns are unnested in select lists and not in "from": there, each array would be written to a store of its own
-- before the first row is made of them.
create function ledger.post_batch(
    p_today int,
    -- The accounts that transfers touch: as remembered, and as they become.
    p_account_ids bigint[],
    p_revisions int[],
    p_expected bigint[],
    p_last_entries bigint[],
    p_balances bigint[],
    p_spents bigint[],
    -- Those that were looked at to refuse a request.
    p_read_account_ids bigint[],
    p_read_revisions int[],
    p_read_last_entries bigint[],
    -- The transfers.
    p_transfer_ids uuid[],
    p_request_hashes bigint[],
    p_kinds smallint[],
    p_reversals_of uuid[],
    p_legs ledger.legs[],
    -- Their entries, account by account: neighbours in the index, which is larger than the processor's caches.
    p_entry_transfer_ids uuid[],
    p_entry_account_ids bigint[],
    p_entry_numbers bigint[],
    p_entry_currencies smallint[],
    p_entry_amounts bigint[],
    p_entry_balances bigint[]
) returns timestamptz
language plpgsql
as $$
declare
    v_posted_at constant timestamptz := clock_timestamp();
    v_count bigint;
begin
    if p_today <> ledger.today() then
        raise exception 'another day has begun' using errcode = 'serialization_failure';
    end if;

    update ledger.accounts as a
    set
        balance = n.balance,
        spent = n.spent,
        spent_day = p_today,
        last_entry = n.last_entry
    from (
        select
            unnest(p_account_ids) as account_id,
            unnest(p_revisions) as revision,
            unnest(p_expected) as expected,
            unnest(p_last_entries) as last_entry,
            unnest(p_balances) as balance,
            unnest(p_spents) as spent
    ) as n
    where a.account_id = n.account_id
        and a.last_entry = n.expected
        and a.revision = n.revision;
    get diagnostics v_count = row_count;
    if v_count <> cardinality(p_account_ids) then
        raise exception 'an account was written by somebody else' using errcode = 'serialization_failure';
    end if;

    if cardinality(p_read_account_ids) > 0 then
        select count(*)
        into v_count
        from (
            select
                unnest(p_read_account_ids) as account_id,
                unnest(p_read_revisions) as revision,
                unnest(p_read_last_entries) as last_entry
        ) as n
        join ledger.accounts as a on a.account_id = n.account_id
            and a.last_entry = n.last_entry
            and a.revision = n.revision;
        if v_count <> cardinality(p_read_account_ids) then
            raise exception 'an account was changed by somebody else' using errcode = 'serialization_failure';
        end if;
    end if;

    begin
        insert into ledger.transfers (transfer_id, request_hash, kind, reversal_of, legs, posted_at)
        select
            unnest(p_transfer_ids),
            unnest(p_request_hashes),
            unnest(p_kinds),
            unnest(p_reversals_of),
            unnest(p_legs),
            v_posted_at;
    exception when unique_violation then
        raise exception 'a key is in the books already' using errcode = 'serialization_failure';
    end;

    insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
    select
        unnest(p_entry_account_ids),
        unnest(p_entry_numbers),
        unnest(p_entry_transfer_ids),
        unnest(p_entry_currencies),
        unnest(p_entry_amounts),
        unnest(p_entry_balances),
        v_posted_at;
    return v_posted_at;
end
$$;
