-- The settings named in $1, and every other one that is not at its default.
-- Shown in their units, as `show` does; a role that may not see a setting does not find it here.
select name,
       current_setting(name) as value,
       vartype = 'string' as is_text
from pg_settings
where name = any ($1)
   or source <> 'default'
order by name
