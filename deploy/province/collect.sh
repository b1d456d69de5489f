#!/bin/sh
# The counts of every county as CSV: county,figure,number. Run where each county's database is reached; one
# that is away is told on standard error and left out.
set -u
etc=${NUANXUN_ETC:-/etc/nuanxun}
here=$(dirname "$0")
echo "county,figure,number"
for file in "$etc"/[0-9]*.env; do
  code=$(basename "$file" .env)
  url=$(. "$file" && printf %s "$DATABASE_URL" | sed 's/^postgresql+psycopg:/postgresql:/')
  psql "$url" --csv -t -v ON_ERROR_STOP=1 -f "$here/counts.sql" 2>/dev/null | sed "s/^/$code,/" | grep . ||
    echo "collect: $code did not answer" >&2
done
