-- Reads a whole list.
select elements from lists where id = $1
