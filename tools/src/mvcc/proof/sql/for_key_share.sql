-- The weakest lock, as foreign keys take it; with others it makes a multixact.
select id
from proof
where id = $1
for key share
