-- A lock that several can hold.
select id
from proof
where id = $1
for share
