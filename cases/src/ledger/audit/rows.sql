-- The entries that are there now, with who wrote each; times in microseconds since 2000-01-01 UTC.
select
    e.account_id,
    e.number,
    e.transfer_id,
    e.currency,
    e.amount,
    e.balance,
    (extract(epoch from e.posted_at) * 1000000)::bigint - 946684800000000 as posted_at_us,
    e.xmin::text::bigint as xmin
from ledger.entries as e
order by e.account_id, e.number;
