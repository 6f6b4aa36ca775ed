-- How many doctors of ward $1 are on call; with the statement's snapshot.
select count(*) as on_call, pg_current_snapshot()::text as row_snapshot
from clinic.doctor
where ward = $1 and on_call;
