-- Versions of all kinds: replaced, deleted, rolled back, locked, compressed.
begin;

update fuzz set short = 7 where id % 3 = 0;

delete from fuzz where id % 11 = 0;

savepoint a;

update fuzz set words = repeat('compressed ', 400) where id % 5 = 0;

rollback to a;

select id from fuzz where id % 4 = 0 for share;

savepoint b;

update fuzz set words = repeat('compressed ', 400) where id % 4 = 0;

commit
