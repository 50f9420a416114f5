-- updated_at on every table that has it.
do $$
declare
  t text;
begin
  for t in
    select c.relname
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'updated_at' and not a.attisdropped
     where c.relkind = 'r' and c.relname like 'soundcloud\_%'
     order by 1
  loop
    execute format(
      'create trigger update_%1$s_updated_at before update on public.%1$I
         for each row execute function public.update_updated_at_column()', t);
  end loop;
end;
$$;
