-- The wrong way, second half: overwrites what others wrote since the read.
with done as (
  insert into counter.operation
  values ($1)
  on conflict do nothing
)
update counter.total
set value = $2
