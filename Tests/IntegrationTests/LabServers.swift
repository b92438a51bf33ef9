import Foundation
import TestSupport

/// Real servers in the lab, each with a configuration of its own in a folder that goes with the test, and those who ask them.
struct LabServers: Sendable {
    let directory: String
    private let programs: String

    /// - Parameter directory: theirs is made in it.
    init(_ directory: String) throws {
        self.directory = "\(directory)/servers"
        programs = try sh("ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1").trimmingCharacters(in: .whitespacesAndNewlines)
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
    }

    private static let asPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    /// nginx and dnsmasq in one network, PostgreSQL in the other. They are ready when this returns.
    func start(_ lab: AcceptanceLab) async throws -> [BackgroundProcess] {
        [try await startNginx(lab), try await startDNS(lab), try await startPostgreSQL(lab)]
    }

    private func startNginx(_ lab: AcceptanceLab) async throws -> BackgroundProcess {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(directory)/nginx-\($0);" }
        let text = """
            daemon off; pid \(directory)/nginx.pid; error_log stderr notice; worker_processes 1;
            events {}
            http {
                access_log off; \(temporary.joined(separator: " "))
                server { listen 10.0.0.11:80; location / { return 200 "hello\\n"; } }
            }
            """
        try text.write(toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        let server = try await lab.start(["/usr/sbin/nginx", "-e", "stderr", "-c", "\(directory)/nginx.conf"], on: "h1-n100-1")
        try await server.waitFor(output: "start worker process ")
        return server
    }

    private func startDNS(_ lab: AcceptanceLab) async throws -> BackgroundProcess {
        let server = try await lab.start(
            [
                "/usr/sbin/dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--pid-file=", "--user=root",
                "--listen-address=10.0.0.31", "--bind-interfaces", "--no-resolv", "--no-hosts", "--address=/lab.test/10.0.0.11",
            ], on: "h3-n100-1")
        try await server.waitFor(output: "started, version")
        return server
    }

    private func startPostgreSQL(_ lab: AcceptanceLab) async throws -> BackgroundProcess {
        let data = "\(directory)/postgres/data"
        _ = try await lab.home.sh(
            """
            mkdir \(directory)/postgres && chown postgres \(directory)/postgres && cd \(directory)/postgres
            \(Self.asPostgres.joined(separator: " ")) \(programs)/initdb -D \(data) -A trust -U lab --no-sync
            echo "host all all 10.0.0.0/24 trust" >>\(data)/pg_hba.conf
            """)
        let server = try await lab.start(
            Self.asPostgres + [
                "\(programs)/postgres", "-D", data, "-c", "listen_addresses=10.0.0.21", "-c", "unix_socket_directories=", "-c", "fsync=off",
            ], on: "h2-n200-1")
        try await server.waitFor(output: "ready to accept connections", within: .seconds(30))
        return server
    }

    /// Clients on every host ask each server, and are answered; the lab's definition says so from then on.
    func ask(_ lab: inout AcceptanceLab) async throws {
        for client in ["h1-n100-2", "h2-n100-1", "h2-n100-3", "h3-n100-2"] {
            for _ in 0..<3 {
                let answer = try await lab.on(client, "curl -sS --fail --max-time 10 http://10.0.0.11/")
                guard answer == "hello\n" else { throw SystemError(command: "curl", status: 0, output: answer) }
            }
            lab.talks.append(.init(client: client, server: "h1-n100-1", service: "tcp/80"))
        }
        for client in ["h1-n200-1", "h3-n200-2"] {
            let answer = try await lab.on(
                client, "\(programs)/psql -h 10.0.0.21 -U lab postgres -Atc 'select sum(i) from generate_series(1, 1000) i'")
            guard answer == "500500\n" else { throw SystemError(command: "psql", status: 0, output: answer) }
            lab.talks.append(.init(client: client, server: "h2-n200-1", service: "tcp/5432"))
        }
        // A question for lab.test by hand (RFC 1035); of the answer its number, the flags and one answer.
        let question = #"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03lab\x04test\x00\x00\x01\x00\x01"#
        for client in ["h1-n100-3", "h2-n100-2"] {
            let asking = #"exec 3<>/dev/udp/10.0.0.31/53; printf "\#(question)" >&3; timeout 5 head -c 8 <&3 | od -An -tx1 | tr -d " \n""#
            let answer = try await lab.on(client, "bash -c '\(asking)'")
            guard answer.hasPrefix("1234"), answer.hasSuffix("00010001") else {
                throw SystemError(command: "a question to dnsmasq", status: 0, output: answer)
            }
            lab.talks.append(.init(client: client, server: "h3-n100-1", service: "udp/53"))
        }
    }
}
