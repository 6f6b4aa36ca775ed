-- The names of requests that were done. Rows may go when no caller repeats so old a request any more.
create table if not exists request (
    key uuid primary key,
    done_at timestamptz not null default now()
);
