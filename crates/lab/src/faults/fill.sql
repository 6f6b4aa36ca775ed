-- Writes some megabytes that nobody keeps: on a full disk it fails with 53100 (disk_full), or the server panics.
begin;
create temporary table pgstrata_fill on commit drop as
select repeat(md5(number::text), 30) as filling
from generate_series(1, 8000) as number;
rollback
