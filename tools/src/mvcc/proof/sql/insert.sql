-- One row more, unless it is there.
insert into proof
values ($1, 0, 'new')
on conflict do nothing
