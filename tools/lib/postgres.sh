# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A throw-away PostgreSQL 15: a folder of its own, a Unix socket and no TCP, an unprivileged user.
postgres_binaries=/usr/lib/postgresql/15/bin

as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$postgres" "$@"
    else
        "$@"
    fi
}

# start_postgres: sets $postgres to the folder of the socket. With the durability that a server ships with.
start_postgres() {
    postgres=$(mktemp -d "${TMPDIR:-/tmp}/nilo-postgres.XXXXXX")
    [ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$postgres"
    (
        cd "$postgres"
        as_postgres "$postgres_binaries/initdb" -D "$postgres/data" -U nilo --auth=trust --no-sync --no-instructions --locale=C.UTF-8 -E UTF8 &&
            as_postgres "$postgres_binaries/pg_ctl" -D "$postgres/data" -l "$postgres/log" -w -t 60 \
                -o "-c listen_addresses='' -k '$postgres' -c shared_buffers=256MB" start
    ) >"$postgres.out" 2>&1 || {
        cat "$postgres.out" >&2
        rm -rf "$postgres" "$postgres.out"
        fail 1 "PostgreSQL does not start" "the lines above say why"
    }
}

stop_postgres() {
    (cd "$postgres" && as_postgres "$postgres_binaries/pg_ctl" -D "$postgres/data" -m immediate -w stop >/dev/null) ||
        warn "PostgreSQL in $postgres did not stop"
    rm -rf "$postgres" "$postgres.out"
}
