#!/bin/sh
# A county's own database, user, secrets and settings: new-county.sh CODE PORT
#
# CODE is the six digits of the national place codes; PORT is where its web servers listen. Run as root where
# psql may make databases (PGHOST, PGPORT, PGUSER). Nothing that is there is changed: a second run stops.
set -eu

code=${1:?usage: new-county.sh CODE PORT}
port=${2:?usage: new-county.sh CODE PORT}
case $code in [0-9][0-9][0-9][0-9][0-9][0-9]) ;; *) echo "new-county: CODE must be six digits" >&2; exit 2 ;; esac
case $port in "" | *[!0-9]*) echo "new-county: PORT must be a number" >&2; exit 2 ;; esac

etc=${NUANXUN_ETC:-/etc/nuanxun}
home=${NUANXUN_HOME:-/srv/nuanxun}
flask=${NUANXUN_FLASK:-$home/.venv/bin/flask}
host=${PGHOST:-/var/run/postgresql}
name=nuanxun_$code
file=$etc/$code.env

if [ -e "$file" ]; then echo "new-county: $file is there already" >&2; exit 1; fi
secret() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
password=$(secret 24)

psql -d postgres -v ON_ERROR_STOP=1 -q <<SQL
CREATE ROLE $name LOGIN PASSWORD '$password';
CREATE DATABASE $name OWNER $name ENCODING 'UTF8' TEMPLATE template0;
-- No county can open another's.
REVOKE ALL ON DATABASE $name FROM PUBLIC;
ALTER ROLE $name SET synchronous_commit = on;
ALTER ROLE $name SET random_page_cost = 1.1;
ALTER ROLE $name SET lock_timeout = '20s';
ALTER ROLE $name SET idle_in_transaction_session_timeout = '5min';
SQL

umask 077
mkdir -p "$etc"
cat > "$file" <<ENV
SECRET_KEY=$(secret 32)
BACKUP_KEY=$(secret 32)
DATABASE_URL='postgresql+psycopg://$name:$password@/$name?host=$host&port=${PGPORT:-5432}'
BACKUP_DIR=/backup/nuanxun/$code
TLS=1
PORT=$port
ENV
echo "$code 127.0.0.1:$port;" >> "$etc/counties.map"
chmod 644 "$etc/counties.map"

cd "$home"
set -a && . "$file" && set +a
"$flask" --app wsgi db upgrade
echo "new-county: $code is ready. Next:"
echo "  install -d -o nuanxun -g nuanxun -m 700 /backup/nuanxun/$code"
echo "  systemctl enable --now nuanxun-web@$code nuanxun-jobs@$code && systemctl reload nginx"
echo "Write SECRET_KEY and BACKUP_KEY of $file down on paper."
