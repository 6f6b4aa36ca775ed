-- Lists of numbers, one a row: appended to and read whole.
create table lists (id bigint primary key, elements bigint[] not null);
