# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Processes that a script starts and a later run stops. A record holds the pid and the start time from proc(5), so
# that a pid that was given to somebody else in the meantime is never signalled.

# started_at PID: field 22 of /proc/PID/stat, in clock ticks since boot; nothing when it does not run (or is a zombie).
started_at() { sed -e 's/.*) //' -e '/^Z/d' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# record_process FILE PID
record_process() { printf '%s %s\n' "$2" "$(started_at "$2")" >"$1"; }

# recorded_pid FILE: the pid, if that very process still runs.
recorded_pid() {
    local pid start
    { read -r pid start <"$1"; } 2>/dev/null || return 1
    [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ] || return 1
    printf '%s\n' "$pid"
}

# stop_recorded FILE: SIGTERM, SIGKILL after five seconds, and the record is removed.
stop_recorded() {
    local pid tries=0
    if pid=$(recorded_pid "$1"); then
        kill "$pid" 2>/dev/null || true
        while recorded_pid "$1" >/dev/null && [ "$tries" -lt 50 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        if recorded_pid "$1" >/dev/null; then kill -KILL "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$1"
}
