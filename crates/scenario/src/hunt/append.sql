-- Adds an element to the end of a list, which may not be there yet.
insert into lists as l values ($1, array[$2]::bigint[]) on conflict (id) do update set elements = l.elements || excluded.elements
