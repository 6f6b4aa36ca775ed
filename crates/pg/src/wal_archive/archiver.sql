-- Whether the archiver's last attempt failed, and the command that did.
select coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false) as is_failing,
       current_setting('archive_command') as command
from pg_stat_archiver as a
