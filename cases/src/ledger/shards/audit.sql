-- Every account of this server but the clearing ones, as one snapshot shows it: over all servers each currency's balances
-- come to nothing.
select
    a.account_id,
    a.currency,
    a.balance,
    a.last_entry
from ledger.accounts as a
where a.kind <> 'clearing'
order by a.account_id;
