-- What an earlier trial has left prepared in this database. $1 how the names of our realm begin.
select p.gid
from pg_prepared_xacts as p
where p.database = current_database()
    and starts_with(p.gid, $1::text);
