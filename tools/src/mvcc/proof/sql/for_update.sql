-- The strongest lock, without a change.
select id
from proof
where id = $1
for update
