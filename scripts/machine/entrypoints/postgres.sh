#!/bin/bash
# Starts PostgreSQL as user postgres. An empty data folder first gets the user, password and database of
# POSTGRES_*, and what /docker-entrypoint-initdb.d says. Bash, as scripts there that aren't executable are sourced.
set -eo pipefail

# NAME_FILE names a file that holds the value of NAME.
from_file() {
    local name=$1 file=$1_FILE value
    [ -n "${!file}" ] || return 0
    if [ -n "${!name}" ]; then
        echo "Both $name and $file are set: leave one of them out." >&2
        exit 1
    fi
    value=$(< "${!file}")
    export "$name=$value"
    unset "$file"
}

sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"
}

initialise() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo "There is no database in $PGDATA yet, and a new one needs a password: set POSTGRES_PASSWORD," \
            "or POSTGRES_PASSWORD_FILE, or POSTGRES_HOST_AUTH_METHOD=trust to let everyone in without one." >&2
        exit 1
    fi
    export POSTGRES_USER="${POSTGRES_USER:-postgres}"
    export POSTGRES_DB="${POSTGRES_DB:-$POSTGRES_USER}"
    # The arguments may hold quotes.
    eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\")" \
        "$POSTGRES_INITDB_ARGS"
    local method=$POSTGRES_HOST_AUTH_METHOD
    [ -n "$method" ] || method=$(postgres -C password_encryption "$@")
    echo "host all all all $method" >> "$PGDATA/pg_hba.conf"

    # Nobody reaches it by TCP before it is complete.
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    pg_ctl --wait -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")" start
    if [ "$POSTGRES_DB" != postgres ]; then
        sql --dbname postgres --set name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name"'
    fi
    run_scripts /docker-entrypoint-initdb.d/*
    pg_ctl --wait --mode fast stop
    unset PGPASSWORD
}

run_scripts() {
    local script
    for script; do
        [ -e "$script" ] || continue
        echo "$script"
        case $script in
            *.sh)
                # shellcheck disable=SC1090
                if [ -x "$script" ]; then "$script"; else . "$script"; fi
                ;;
            *.sql) sql --dbname "$POSTGRES_DB" --file "$script" ;;
            *.sql.gz) gunzip --stdout "$script" | sql --dbname "$POSTGRES_DB" ;;
            *) echo "It is neither .sh nor .sql nor .sql.gz: left out." ;;
        esac
    done
}

case $1 in -*) set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"
case $2 in '-?' | --help | -V | --version | --describe-config) exec "$@" ;; esac

for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_INITDB_ARGS; do from_file "$name"; done
mkdir --parents "$PGDATA"
if [ "$(id --user)" = 0 ]; then
    chmod 700 "$PGDATA"
    install --directory --mode 3775 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown --no-dereference postgres '{}' +
    export HOME=/var/lib/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
[ -s "$PGDATA/PG_VERSION" ] || initialise "${@:2}"
exec "$@"
