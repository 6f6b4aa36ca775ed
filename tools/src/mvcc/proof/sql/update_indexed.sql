-- A new version with new index entries.
update proof
set n = n + 1, pad = 'again'
where id = $1
