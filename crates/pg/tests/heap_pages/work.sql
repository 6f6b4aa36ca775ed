-- A table whose rows come, change, move and go; no index on payload, so that updates of it can be HOT.
create table item (
    id int primary key,
    key int not null,
    payload text,
    note text
) with (fillfactor = 60, autovacuum_enabled = off);
create index item_key on item (key);

-- Writes a row in each of many subtransactions, more than a snapshot lists.
create function write_in_subtransactions(first_id int, count int) returns void language plpgsql as $$
begin
    for number in 0 .. count - 1 loop
        begin
            insert into item values (first_id + number, number, 'sub', null);
        exception when unique_violation then
            update item set payload = payload || 's' where id = first_id + number;
        end;
    end loop;
end;
$$;
