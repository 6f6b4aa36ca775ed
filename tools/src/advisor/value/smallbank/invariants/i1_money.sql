-- I1: the accounts hold what they held in the beginning and what the answers say that was added. A row: money was made or
-- lost.
select *
from (
    select
        (select total from smallbank.opening) as opening,
        (select coalesce(sum(value), 0) from advisor_value.answer) as added,
        (select sum(balance) from smallbank.savings) + (select sum(balance) from smallbank.checking) as held
) as books
where held <> opening + added;
