import CLinux
import Foundation
import Storage
import TestSupport

/// A throw-away PostgreSQL 15 for this process: on a Unix socket in a folder of its own, without TCP, as an unprivileged user. A shell owns it
/// and waits for the end of this process, however that comes, to stop it and remove the folder.
struct PostgresServer: Sendable {
    /// What libpq connects to.
    let target: String
    let folder: String

    /// Started once. It fails with `Absence` where PostgreSQL is not installed, with anything else where it does not start.
    static let shared = Task { try await onOwnThread { try start() } }

    struct Absence: Error {
        var reason: String
    }

    static let binaries = "/usr/lib/postgresql/15/bin"

    private static func start() throws -> PostgresServer {
        guard access("\(binaries)/postgres", X_OK) == 0 else { throw Absence(reason: "needs PostgreSQL 15 in \(binaries)") }
        let script = """
            trap '' INT TERM HUP
            D=$(mktemp -d "${TMPDIR:-/tmp}/nilo-pg.XXXXXX") || exit 1
            run() { "$@"; }
            if [ "$(id -u)" = 0 ]; then
                chown nobody:nogroup "$D"
                run() { setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$D" "$@"; }
            fi
            cd "$D"
            run \(binaries)/initdb -D "$D/data" -U nilo --auth=trust --no-sync --no-instructions --locale=C.UTF-8 -E UTF8 >"$D/out" 2>&1 &&
                run \(binaries)/pg_ctl -D "$D/data" -l "$D/log" -w -t 60 start >>"$D/out" 2>&1 -o "-c listen_addresses='' -k '$D' \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB"
            status=$?
            if [ $status = 0 ]; then echo "$D"; else echo "! $(tail -n 3 "$D/out" | tr '\\n' ' ')"; fi
            cat >/dev/null
            run \(binaries)/pg_ctl -D "$D/data" -m immediate -w stop >/dev/null 2>&1
            cd / && rm -rf "$D"
            """
        var (answer, life): ([Int32], [Int32]) = ([0, 0], [0, 0])
        guard lx_pipe_cloexec(&answer) == 0, lx_pipe_cloexec(&life) == 0 else { throw SystemError("pipe2") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The writing end of `life` is this process's alone, and is never closed: it ends with the process.
        posix_spawn_file_actions_adddup2(&actions, life[0], 0)
        posix_spawn_file_actions_adddup2(&actions, answer[1], 1)
        var argv: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(script), nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, "/bin/sh", &actions, nil, &argv, environ)
        guard result == 0 else { throw SystemError("posix_spawn sh", errno: result) }
        close(answer[1])
        close(life[0])
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(answer[0], &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        close(answer[0])
        let folder = String(decoding: line, as: UTF8.self)
        guard folder.hasPrefix("/") else { throw SystemError(command: "initdb and pg_ctl", status: 1, output: folder) }
        return PostgresServer(target: "host=\(folder) user=nilo dbname=postgres", folder: folder)
    }
}
