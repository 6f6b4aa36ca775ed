-- Another key: locks more than other updates, and fails if the key is there.
update proof
set id = $2
where id = $1
