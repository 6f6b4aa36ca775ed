-- The right way: one statement, idempotent by the operation's key.
with done as (
  insert into counter.operation
  values ($1)
  on conflict do nothing
  returning 1
)
update counter.total
set value = value + 1
where exists (select from done)
