import Glibc
import Netlink
import NetworkTypes
import TestSupport
import Testing

/// The kernel is asked who answers for an address, and one agent at a time has a namespace's mirror port.
@Suite(.requires(.root)) struct NeighbourResolutionTests {
    @Test func aNeighbourIsResolvedOnRequest() async throws {
        let pair = try await Pair()
        try await pair.a.sh("ip neigh flush dev va; ip neigh del 10.0.0.2 dev va 2>/dev/null || true; ip link set va arp on")
        try await pair.b.sh("ip link set vb arp on")
        let index = Int32(try await pair.a.index(of: "va"))
        let there = IPAddress("10.0.0.2")!
        let nobody = IPAddress("10.0.0.77")!
        let (before, isResolved, silent) = try await pair.a.run {
            let socket = try NetlinkSocket()
            let before = try socket.neighbour(of: there, on: index)
            try socket.resolveNeighbour(there, on: index)
            try socket.resolveNeighbour(nobody, on: index)
            var isResolved = false
            for _ in 0..<300 where !isResolved {
                isResolved = try socket.neighbour(of: there, on: index)?.isUsable == true
                usleep(10_000)
            }
            return (before, isResolved, try socket.neighbour(of: nobody, on: index))
        }
        #expect(before?.isUsable != true && isResolved)
        #expect(silent?.isUsable == false)
    }

    @Test func neighboursAreWatchedWhenAskedFor() async throws {
        let pair = try await Pair()
        let (without, with) = try await pair.a.run {
            let monitor = try LinkMonitor()
            func change(_ last: Int) throws -> LinkMonitor.Changes {
                _ = try sh("ip neigh replace 10.0.0.\(last) lladdr 02:00:00:00:00:77 dev va nud permanent")
                return try monitor.drain()
            }
            let without = try change(77)
            try monitor.watchNeighbours(true)
            return (without, try change(78))
        }
        #expect(!without.neighbours && with.neighbours && with.isEmpty)
    }

    @Test func addressesOfOnesOwnAreKnown() async throws {
        let pair = try await Pair()
        let own = try await pair.a.run {
            let socket = try NetlinkSocket()
            return try ["10.0.0.1", "127.0.0.1", "10.0.0.2", "198.51.100.1"].map { try socket.isOwn(IPAddress($0)!) }
        }
        #expect(own == [true, true, false, false])
    }

    @Test func oneAtATimeHasTheMirrorPort() async throws {
        let (one, other) = (try await TestNamespace(), try await TestNamespace())
        let (here, there) = (try Netlink.NetworkNamespace.at(path: one.path), try Netlink.NetworkNamespace.at(path: other.path))
        var lock: NamespaceLock? = try NamespaceLock(in: here)
        // Another namespace has another one.
        _ = try NamespaceLock(in: there)
        do {
            _ = try NamespaceLock(in: here)
            Issue.record("two have it")
        } catch { #expect(error.code == EBUSY && error.detail == "process \(getpid()) works it", "\(error)") }
        lock?.drain()
        withExtendedLifetime(lock) {}
        lock = nil
        _ = try NamespaceLock(in: here)
    }

    /// Somebody without privileges keeps no agent from its work.
    @Test(.requires(.command("/usr/bin/python3"), .command("setpriv")), arguments: ["s.listen(1); ", ""])
    func aStrangersNameIsNoLock(listens: String) async throws {
        let one = try await TestNamespace()
        let stranger = try await BackgroundProcess.start(
            [
                "setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c",
                "import socket,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); s.bind('\\0nilometer mirror port'); \(listens)"
                    + "print('bound', flush=True); time.sleep(60)",
            ], in: one)
        try await stranger.waitFor(output: "bound")
        _ = try NamespaceLock(in: try Netlink.NetworkNamespace.at(path: one.path))
        try stranger.stop()
    }
}
