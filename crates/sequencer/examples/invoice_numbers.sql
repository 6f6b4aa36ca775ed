-- Gives each key of a batch ($1) the next number, and a key that has one already the same number again.
-- One answer for each place of the batch, in order; the sequencer is the only writer, so the number cannot be stale.
with request as (
    select key, min(place) as place
    from unnest($1::uuid[]) with ordinality as r (key, place)
    group by key
),
numbered as (
    insert into invoice (key, number)
    select
        r.key,
        c.last_number + row_number() over (order by r.place)
    from request as r
    cross join invoice_counter as c
    where not exists (select from invoice as i where i.key = r.key)
    returning key, number
),
counted as (
    update invoice_counter
    set last_number = last_number + (select count(*) from numbered)
)
select coalesce(n.number, i.number)
from unnest($1::uuid[]) with ordinality as r (key, place)
left join numbered as n on n.key = r.key
left join invoice as i on i.key = r.key
order by r.place;
