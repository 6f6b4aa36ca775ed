-- One row less.
delete from proof
where id = $1
