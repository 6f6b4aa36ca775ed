-- Whether the publication $1 is there.
select exists (select from pg_publication where pubname = $1::text::name)
