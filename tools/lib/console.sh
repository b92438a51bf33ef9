# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# How the scripts under tools/ speak: progress on stderr, results on stdout, errors as `nilo` prints them.

# The script's own name in messages; a script sets it before it sources this file.
: "${tool:=tools}"

say() { printf '%s\n' "==> $*" >&2; }
warn() { printf '%s: warning: %s\n' "$tool" "$*" >&2; }
hint() { printf 'hint: %s\n' "$*" >&2; }

# fail STATUS MESSAGE [HINT...]: 1 failed, 2 usage, 3 permission, 4 agent not reachable.
fail() {
    local status=$1 message=$2
    shift 2
    printf '%s: %s\n' "$tool" "$message" >&2
    local line
    for line in "$@"; do hint "$line"; done
    exit "$status"
}

# need_root WHAT: WHAT is the part of the sentence that says what root is needed for.
need_root() {
    [ "$(id -u)" -eq 0 ] || fail 3 "$1: needs root" "run it as: sudo tools/${tool#tools/}"
}
