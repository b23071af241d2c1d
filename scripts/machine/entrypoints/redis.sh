#!/bin/sh
# Starts Redis as user redis. Options alone, or a file of settings, are for redis-server.
set -eu

case $1 in -* | *.conf) set -- redis-server "$@" ;; esac
[ "$1" = redis-server ] || exec "$@"
if [ "$(id --user)" = 0 ]; then
    find . ! -user redis -exec chown --no-dereference redis '{}' +
    exec setpriv --reuid redis --regid redis --init-groups "$0" "$@"
fi
umask 077
shift
# Other containers come from other addresses: protected mode is off unless it is asked for.
case ${1:-} in
    -v | --version | -h | --help | --test-memory | --check-system) ;;
    '' | -?*) set -- --protected-mode no "$@" ;;
    *)
        if ! grep --quiet --ignore-case '^ *protected-mode' "$1"; then
            settings=$1
            shift
            set -- "$settings" --protected-mode no "$@"
        fi
        ;;
esac
exec redis-server "$@"
