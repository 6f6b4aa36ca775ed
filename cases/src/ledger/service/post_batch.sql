-- Writes a batch of transfers that were admitted one after the other, from the accounts as the program remembers them.
-- It is right to remember because nobody else posts here; and it is made sure of: every account that was looked at must
-- still be as remembered, or nothing is written (40001) and the program reads again. So a batch is one serializable
-- transaction, whoever froze an account meanwhile. 40001 also if a key is in the books already that the program does not
-- remember, and when the day is over that limits were counted by.
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
    -- Their entries.
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
    from unnest(p_account_ids, p_revisions, p_expected, p_last_entries, p_balances, p_spents)
        as n (account_id, revision, expected, last_entry, balance, spent)
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
        from unnest(p_read_account_ids, p_read_revisions, p_read_last_entries)
            as n (account_id, revision, last_entry)
        join ledger.accounts as a on a.account_id = n.account_id
            and a.last_entry = n.last_entry
            and a.revision = n.revision;
        if v_count <> cardinality(p_read_account_ids) then
            raise exception 'an account was changed by somebody else' using errcode = 'serialization_failure';
        end if;
    end if;

    begin
        insert into ledger.transfers (transfer_id, request_hash, kind, reversal_of, posted_at)
        select
            n.transfer_id,
            n.request_hash,
            n.kind,
            n.reversal_of,
            v_posted_at
        from unnest(p_transfer_ids, p_request_hashes, p_kinds, p_reversals_of)
            as n (transfer_id, request_hash, kind, reversal_of);
    exception when unique_violation then
        raise exception 'a key is in the books already' using errcode = 'serialization_failure';
    end;

    insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
    select
        n.account_id,
        n.number,
        n.transfer_id,
        n.currency,
        n.amount,
        n.balance,
        v_posted_at
    from unnest(
        p_entry_account_ids,
        p_entry_numbers,
        p_entry_transfer_ids,
        p_entry_currencies,
        p_entry_amounts,
        p_entry_balances
    ) as n (account_id, number, transfer_id, currency, amount, balance);
    return v_posted_at;
end
$$;
