-- The functions of mvcc_visualizer that this role may call.
select function.proname::text as name
from pg_extension extension
join pg_depend dependency
  on dependency.refclassid = 'pg_extension'::regclass
 and dependency.refobjid = extension.oid
 and dependency.classid = 'pg_proc'::regclass
join pg_proc function on function.oid = dependency.objid
where extension.extname = 'mvcc_visualizer'
  and has_function_privilege(function.oid, 'execute')
  and has_schema_privilege(function.pronamespace, 'usage')
