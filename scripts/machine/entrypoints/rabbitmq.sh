#!/bin/bash
# Starts RabbitMQ as user rabbitmq, which reads RABBITMQ_DEFAULT_USER and its kin itself.
set -euo pipefail

case $1 in rabbitmq*) ;; *) exec "$@" ;; esac

for name in RABBITMQ_DEFAULT_USER_FILE RABBITMQ_DEFAULT_PASS_FILE; do
    if [ -n "${!name:-}" ]; then
        echo "$name is set, which RabbitMQ's image refuses since 3.9: put default_user and default_pass" \
            "into a file in /etc/rabbitmq/conf.d." >&2
        exit 1
    fi
done
if [ "$(id --user)" = 0 ]; then
    find /var/lib/rabbitmq ! -user rabbitmq -exec chown --no-dereference rabbitmq '{}' +
    exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$0" "$@"
fi
# Else whoever comes first makes it, and the server can't read the one of a root's health check.
cookie=/var/lib/rabbitmq/.erlang.cookie
[ -e "$cookie" ] || (umask 277 && head --bytes 42 /dev/urandom | base64 --wrap 0 > "$cookie")
exec "$@"
