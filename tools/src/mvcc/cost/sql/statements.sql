-- Runs a small statement so many times.
select statements($1);
