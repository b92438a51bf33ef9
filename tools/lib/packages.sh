# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Debian packages: installed only when missing, and without starting or enabling any service that comes with them.
: "${root:?is set by the script that sources this file}"

# package_names LIST...: the names in tools/packages/LIST.txt, one a line.
package_names() {
    local list
    for list in "$@"; do
        [ -r "$root/tools/packages/$list.txt" ] || fail 1 "packages: no list $list in tools/packages"
        sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$root/tools/packages/$list.txt"
    done | LC_ALL=C sort -u
}

missing_packages() {
    local names
    mapfile -t names < <(package_names "$@")
    # dpkg-query fails for a name that it has never heard of, and still answers for the others.
    LC_ALL=C comm -23 <(printf '%s\n' "${names[@]}") \
        <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${names[@]}" 2>/dev/null | sed -n 's/ installed$//p' | LC_ALL=C sort -u)
}

# The lists are fetched again when they are absent or a day old; only called when something is missing.
refresh_lists() {
    local newest
    newest=$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null) || newest=
    [ -n "$newest" ] || apt-get update -q
}

# deb-systemd-invoke(1p) and invoke-rc.d(8) ask this script before they start anything; 101 means no.
with_services_held() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\n# tools/packages: for the time of one apt-get run\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@" || status=$?
    rm -f "$policy"
    return "$status"
}

# A package's postinst also enables its units for the next boot, whether or not systemd is there by then.
disable_units_of() {
    local unit
    { dpkg-query -L "$@" 2>/dev/null || true; } |
        sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]*\.(service|timer|socket))$#\2#p' |
        while read -r unit; do
            if command -v systemctl >/dev/null; then
                systemctl disable -q "$unit" || warn "could not disable $unit, which a test's package brought"
            else
                rm -f /etc/systemd/system/*.wants/"$unit"
            fi
        done
}

# ensure_packages LIST...: silent when nothing is missing.
ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        fail 1 "packages: this system has no apt-get, and these are missing: ${missing[*]}" "install what provides them, then run this again"
    [ "$(id -u)" -eq 0 ] ||
        fail 3 "packages: installing needs root, and these are missing: ${missing[*]}" "sudo apt-get install --no-install-recommends ${missing[*]}"
    say "installing ${missing[*]}"
    refresh_lists || fail 1 "packages: apt-get update failed" "is there a network, and is /etc/apt/sources.list in order?"
    DEBIAN_FRONTEND=noninteractive with_services_held \
        apt-get install -y -q --no-install-recommends "${missing[@]}" >&2 ||
        fail 1 "packages: apt-get install failed" "the lines above say why; run it by hand: apt-get install ${missing[*]}"
    disable_units_of "${missing[@]}"
}
