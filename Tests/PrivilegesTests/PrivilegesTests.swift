import Foundation
import Testing

/// Runs the probe: what it changes cannot be undone in the process that does it.
private func probe(_ mode: String, environment: [String: String] = [:]) throws -> (status: Int32, output: String) {
    let binary = try #require(productsDirectory()).appending(path: "privileges-probe")
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    // A child that another test spawns meanwhile must not keep the writing end.
    for end in ends { try #require(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    var argv: [UnsafeMutablePointer<CChar>?] = [strdup(binary.path), strdup(mode), nil]
    var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [strdup("PATH=/usr/bin:/bin"), nil]
    if let path = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"] { envp.insert(strdup("LD_LIBRARY_PATH=\(path)"), at: 0) }
    defer { (argv + envp).forEach { free($0) } }
    var pid: pid_t = 0
    let result = posix_spawn(&pid, binary.path, &actions, nil, &argv, &envp)
    close(ends[1])
    defer { close(ends[0]) }
    try #require(result == 0, "\(binary.path): \(String(cString: strerror(result)))")
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(ends[0], &chunk, chunk.count)
        if count > 0 { output += chunk[..<count] } else if count == 0 || errno != EINTR { break }
    }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return (status >> 8 & 0xff, String(decoding: output, as: UTF8.self))
}

/// Where the package's executables lie: beside this test bundle, however it was started.
private func productsDirectory() -> URL? {
    let candidates = [CommandLine.arguments[0], (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""]
    var found = candidates.map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    found += CommandLine.arguments.filter { $0.hasSuffix(".xctest") }.map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    return found.first { FileManager.default.isExecutableFile(atPath: $0.appending(path: "privileges-probe").path) }
}

@Suite(.enabled(if: geteuid() == 0, "needs capabilities to drop")) struct PrivilegesTests {
    /// CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39.
    @Test(arguments: ["drop", "drop-again"]) func onlyWhatIsKeptIsLeft(_ mode: String) throws {
        let (status, output) = try probe(mode)
        #expect(
            status == 0 && output == "permitted=c000001000 effective=c000001000 inheritable=0 bounding=0 ambient=0 nnp=true\n", "\(output)")
    }

    @Test func aThreadThatKeepsItsCapabilitiesIsFound() throws {
        let (status, output) = try probe("drop-with-thread")
        #expect(status == 1 && output.contains("still holds") && output.contains("cap_sys_admin"), "\(output)")
    }

    /// The user is still 0, and a program that root starts would get everything back.
    @Test func aProgramStartedLaterHasNothing() throws {
        let (status, output) = try probe("exec-after-drop")
        #expect(status == 0 && output.contains("CapPrm:\t0000000000000000") && output.contains("CapEff:\t0000000000000000"), "\(output)")
        #expect(output.contains("NoNewPrivs:\t1"))
    }
}

@Suite struct ServiceNotificationTests {
    @Test func systemdHearsIt() throws {
        let path = NSTemporaryDirectory() + "notify-\(UUID())"
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(bound == 0)
        defer { unlink(path) }
        let (status, output) = try probe("notify", environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"])
        #expect(status == 0 && output == "told=true watchdog=30.0 seconds\n", "\(output)")
        var heard: [String] = []
        var chunk = [UInt8](repeating: 0, count: 1024)
        while case let count = recv(fd, &chunk, chunk.count, Int32(MSG_DONTWAIT)), count > 0 {
            heard.append(String(decoding: chunk[..<count], as: UTF8.self))
        }
        #expect(heard == ["READY=1", "STATUS=12 interfaces READY=0", "WATCHDOG=1", "STOPPING=1"])
    }

    @Test func nobodyListens() throws {
        let (status, output) = try probe("notify")
        #expect(status == 0 && output == "told=false watchdog=0.0 seconds\n", "\(output)")
        let gone = try probe("notify", environment: ["NOTIFY_SOCKET": "/nonexistent/notify"])
        #expect(gone.status == 1 && gone.output.contains("notify systemd"))
    }
}
