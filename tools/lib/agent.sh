# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Building `nilo`, and starting the agent in the background: the one place that knows how the agent is called.
: "${root:?is set by the script that sources this file}"

nilo=$root/.build/release/nilo
started=/run/nilo-start # what this script started, for its next run
agent_log=/var/log/nilo/agent.log

build_release() {
    say "building nilo (release)"
    swift build --package-path "$root" -c release --static-swift-stdlib --product nilo >&2 ||
        fail 1 "the build failed" "the compiler's errors are above"
    [ -x "$nilo" ] || fail 1 "the build made no $nilo"
}

# agent_over_host [INTERFACE...] and agent_over_lab fill agent_call; without names the agent's configuration decides,
# and its default is the interfaces that carry the default route.
agent_over_host() {
    local name
    agent_call=("$nilo" agent)
    for name in "$@"; do agent_call+=(--interface "$name"); done
}

# Every point where the lab's traffic can be seen: the tenant ports, the VXLAN devices, the underlay.
agent_over_lab() {
    # The tenants' and the wire's ends are on the map and not counted: the hosts' own ends see the same packets.
    agent_call=("$nilo" agent --netns 'nilolab-*' --interface 'port*' --interface vx100 --interface up0)
}

agent_answers() { "$nilo" status >/dev/null 2>&1; }

# running_here: the pid of the agent that an earlier run started, if it still runs.
running_here() { recorded_pid "$started/agent"; }

# same_agent PID: it was called the same way, and its program file has not been replaced by a newer build.
same_agent() {
    [ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$nilo")" ] &&
        [ "$(cat "$started/call" 2>/dev/null)" = "${agent_call[*]}" ]
}

wait_for_agent() {
    local pid=$1 tries=0
    until agent_answers; do
        if ! running_here >/dev/null; then
            tail -n 20 "$agent_log" >&2
            fail 1 "the agent ended while it started" "its last words are above; all of them are in $agent_log"
        fi
        tries=$((tries + 1))
        if [ "$tries" -ge 150 ]; then
            tail -n 20 "$agent_log" >&2
            "$nilo" status >&2 || true # says in its own words why not
            fail 4 "the agent (pid $pid) does not answer after 15 s" "its last words are above; all of them are in $agent_log"
        fi
        sleep 0.1
    done
}

# start_agent: starts what agent_call says, unless that already runs. An agent of an older build or over other
# interfaces that an earlier run started is replaced; the kernel side counts on meanwhile.
start_agent() {
    local pid
    mkdir -p "$started" "$(dirname "$agent_log")"
    if pid=$(running_here); then
        if same_agent "$pid" && agent_answers; then
            say "the agent is running already (pid $pid)"
            return 0
        fi
        say "replacing the agent that runs (pid $pid)"
        "$nilo" stop --keep >&2 || warn "it could not be asked to stop, so it is told by signal"
        stop_recorded "$started/agent"
    elif agent_answers; then
        fail 1 "another agent is running that tools/start did not start" \
            "look at it with: $nilo top" "or stop it first: systemctl stop nilo, or: $nilo stop"
    fi
    if [ -e "$agent_log" ]; then mv -f "$agent_log" "$agent_log.1"; fi
    say "starting the agent, which logs to $agent_log"
    setsid "${agent_call[@]}" </dev/null >"$agent_log" 2>&1 &
    pid=$!
    record_process "$started/agent" "$pid"
    printf '%s\n' "${agent_call[*]}" >"$started/call"
    wait_for_agent "$pid"
}
