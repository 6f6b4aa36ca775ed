-- A counter in sixteen rows: a writer takes one by lot, a reader adds them up.
-- pgstrata: schema
create table likes (post bigint not null, shard integer not null, count bigint not null default 0, primary key (post, shard));
insert into likes (post, shard) select 1, shard from generate_series(0, 15) as shard;
-- pgstrata: program like_post read committed
-- pgstrata: parameter post bigint = 1
-- pgstrata: parameter shard integer = 3
-- pgstrata: one row, else refused
update likes set count = count + 1 where post = :post and shard = :shard;
