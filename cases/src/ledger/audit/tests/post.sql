-- Posts transfers between two accounts in one statement. $1 their keys, $2 the payer, $3 the payee, $4 the amount of each.
with numbered as (
    select
        k.transfer_id,
        k.place
    from unnest($1::uuid[]) with ordinality as k (transfer_id, place)
),

posted as (
    insert into ledger.transfers (transfer_id, request_hash, kind, posted_at, legs)
    select n.transfer_id, 0, 1, now(), '{}'
    from numbered as n
)

insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
select
    side.account_id,
    coalesce((select max(e.number) from ledger.entries as e where e.account_id = side.account_id), 0) + n.place,
    n.transfer_id,
    840,
    side.sign * $4::bigint,
    side.sign * $4::bigint * n.place,
    now()
from numbered as n
cross join (values ($2::bigint, -1), ($3::bigint, 1)) as side (account_id, sign);
