-- Seventy subtransactions with ids of their own in one transaction, some of them rolled back.
do $$
begin
    for i in 1..70 loop
        begin
            insert into proof values (-i - 100 * pg_backend_pid(), i, 'over')
            on conflict (id) do update set pad = 'over and over';
            if i % 7 = 0 then
                raise exception 'take it back';
            end if;
        exception
            when raise_exception then
                null;
        end;
    end loop;
    delete from proof where id < -100 * pg_backend_pid() and id >= -100 * pg_backend_pid() - 99 and id % 2 = 0;
end $$
