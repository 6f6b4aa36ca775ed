-- The last page of an account's statement, in one snapshot with the account. Pages have 16 entries; the last one may be
-- empty. $1 the account.
select
    a.last_entry,
    a.balance,
    coalesce(
        (
            select array_agg(e.transfer_id order by e.number)
            from ledger.entries as e
            where e.account_id = a.account_id
                and e.number > a.last_entry / 16 * 16
        ),
        '{}'
    ) as transfer_ids
from ledger.accounts as a
where a.account_id = $1;
