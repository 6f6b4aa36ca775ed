-- What the server and the role give us to look with: versions, extensions with their schemas, rights, settings.
select current_setting('server_version') as version,
       current_setting('server_version_num')::int as version_number,
       current_setting('is_superuser') = 'on' as is_superuser,
       pg_has_role(current_user, 'pg_read_all_stats', 'member') as reads_all_activity,
       current_database()::text as database,
       pg_is_in_recovery() as is_standby,
       current_setting('wal_level') as wal_level,
       (select rolreplication or rolsuper from pg_roles where rolname = current_user) as may_replicate,
       (select quote_ident(space.nspname)
        from pg_extension extension
        join pg_namespace space on space.oid = extension.extnamespace
        where extension.extname = 'pageinspect') as pageinspect,
       exists (select from pg_available_extensions where name = 'pageinspect') as offers_pageinspect,
       (select quote_ident(space.nspname)
        from pg_extension extension
        join pg_namespace space on space.oid = extension.extnamespace
        where extension.extname = 'mvcc_visualizer') as visualizer,
       exists (select from pg_available_extensions where name = 'mvcc_visualizer') as offers_visualizer
