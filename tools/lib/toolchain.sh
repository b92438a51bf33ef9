# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Finding a Swift toolchain that is new enough for Package.swift; never installing one.
: "${root:?is set by the script that sources this file}"

# The least version, as the first line of Package.swift asks for it: one number to change, in one place.
required_swift() { sed -n '1s,^// swift-tools-version: *\([0-9.]*\).*,\1,p' "$root/Package.swift"; }

# swift_version BINARY: "6.3.1", or nothing.
swift_version() { "$1" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1; }

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# Where toolchains are put: PATH first, then the usual places, then the home of whoever called sudo.
swift_candidates() {
    local home
    type -ap swift || true
    for home in "$HOME" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
        printf '%s\n' "$home"/.swiftly/bin/swift "$home"/.local/share/swiftly/bin/swift \
            "$home"/.local/share/swiftly/toolchains/*/usr/bin/swift
    done
    printf '%s\n' /opt/swift*/usr/bin/swift /usr/local/swift*/usr/bin/swift /usr/local/bin/swift
}

swift_install_line() {
    local version=6.3.1 platform=debian12
    [ "$(uname -m)" != aarch64 ] || platform=debian12-aarch64
    printf 'mkdir -p /opt/swift && curl -fL https://download.swift.org/swift-%s-release/%s/swift-%s-RELEASE/swift-%s-RELEASE-%s.tar.gz | tar -xz --strip-components=1 -C /opt/swift\n' \
        "$version" "$platform" "$version" "$version" "$platform"
}

# ensure_swift: puts the first toolchain that is new enough at the front of PATH.
ensure_swift() {
    local need candidate version found=
    need=$(required_swift)
    [ -n "$need" ] || fail 1 "toolchain: Package.swift does not begin with its tools version"
    while read -r candidate; do
        [ -x "$candidate" ] || continue
        version=$(swift_version "$candidate")
        [ -n "$version" ] || continue
        if at_least "$version" "$need"; then
            PATH=$(dirname "$candidate"):$PATH
            export PATH
            return 0
        fi
        found="$found $version ($candidate)"
    done < <(swift_candidates)
    fail 1 "toolchain: no Swift $need or newer on this machine${found:+, only$found}" \
        "as root, this installs one: $(swift_install_line)"
}

# Building as root in somebody's checkout must not leave files that they cannot change.
give_back_build() {
    local owner
    owner=$(stat -c %u:%g "$root")
    if [ "$(id -u)" -eq 0 ] && [ "$owner" != 0:0 ] && [ -d "$root/.build" ]; then
        chown -R --no-dereference "$owner" "$root/.build"
    fi
}
