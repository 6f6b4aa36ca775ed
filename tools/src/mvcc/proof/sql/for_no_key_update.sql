-- The lock of an update that keeps the key, without one.
select id
from proof
where id = $1
for no key update
