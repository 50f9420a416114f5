#!/bin/sh
# Makes Temporal's two databases and brings their schemas to the version of this image. Running it again changes nothing.
set -eu

sql() {
  database=$1
  shift
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p 5432 -u "$POSTGRES_USER" --db "$database" "$@"
}

for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  schema=${pair##*:}
  sql "$database" create
  sql "$database" setup-schema -v 0.0
  sql "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
