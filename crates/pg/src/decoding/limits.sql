-- What decides whether this role can have a logical replication slot on this server.
select current_setting('wal_level') as wal_level,
       current_setting('max_replication_slots') as slot_limit,
       current_user::text as role
