import CLinux
import Glibc
import TestSupport
import Testing

@Suite(.requires(.root)) struct NetworkNamespaceTests {
    private static func here() throws -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = readlink("/proc/thread-self/ns/net", &buffer, buffer.count - 1)
        if count < 0 { throw SystemError("readlink") }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func bodiesRunInsideAndThePoolStaysHome() async throws {
        let home = try Self.here()
        let namespace = try await NetworkNamespace()
        for _ in 0..<50 {
            let inside = try await namespace.run { try Self.here() }
            #expect(inside != home)
        }
        // Enough tasks at once that the pool has to make threads, if it ever makes one abroad.
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await namespace.run { usleep(1000) }
                    return try Self.here()
                }
            }
            for try await place in group { #expect(place == home) }
        }
    }

    @Test func errorsComeThrough() async throws {
        let namespace = try await NetworkNamespace()
        await #expect(throws: SystemError.self) { try await namespace.run { try interfaceIndex("absent") } }
        let failure = await #expect(throws: SystemError.self) { try await namespace.sh("echo told; echo why >&2; exit 3") }
        #expect(failure?.code == 3 && failure?.detail == "told\nwhy\n")
    }

    @Test func commandsAreCutOff() async throws {
        let failure = await #expect(throws: SystemError.self) { try await onOwnThread { try sh("echo begun; sleep 30", seconds: 1) } }
        #expect(failure?.detail.contains("begun") == true)
    }

    @Test func namespacesVanish() async throws {
        let watcher = try await NetworkNamespace()
        var gone: NetworkNamespace? = try await NetworkNamespace()
        try await watcher.sh("ip link add stays type veth peer name goes netns \(gone!.path)")
        #expect(try await watcher.index(of: "stays") > 1)
        gone = nil
        // The kernel takes a namespace apart on a queue of its own; the peer goes with it.
        let vanished = try await eventually(within: .seconds(10)) { try await !watcher.sh("ip -o link").contains("stays") }
        #expect(vanished)
    }

    @Test func cookiesTellNamespacesApart() async throws {
        let a = try await NetworkNamespace()
        let b = try await NetworkNamespace()
        #expect(try await a.cookie() == a.cookie())
        #expect(try await a.cookie() != b.cookie())
    }

    @Test func backgroundProcessesRunInsideAndAreStopped() async throws {
        let namespace = try await NetworkNamespace()
        let process = try await BackgroundProcess.start(
            ["sh", "-c", "readlink /proc/self/ns/net; echo ready; sleep 60 & wait"], in: namespace)
        try await process.waitFor(output: "ready")
        let inside = try await namespace.run { try Self.here() }
        let (output, status) = try process.stop()
        #expect(output == "\(inside)\nready\n")
        #expect(status == 128 + SIGTERM)
        // Its child is killed with it; init has yet to take note.
        let gone = try await eventually(within: .seconds(10)) { kill(-process.pid, 0) == -1 && errno == ESRCH }
        #expect(gone)
        #expect(try process.stop().status == status)
    }

    @Test func releasedProcessesAreKilled() async throws {
        let namespace = try await NetworkNamespace()
        var process: BackgroundProcess? = try await BackgroundProcess.start(["sleep", "60"], in: namespace)
        let pid = process!.pid
        #expect(kill(pid, 0) == 0)
        process = nil
        let isGone = try await eventually(within: .seconds(10)) { kill(pid, 0) == -1 && errno == ESRCH }
        #expect(isGone)
        await #expect(throws: SystemError.self) { try await BackgroundProcess.start(["no-such-command"], in: namespace) }
    }
}
