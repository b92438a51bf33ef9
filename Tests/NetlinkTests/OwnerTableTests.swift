import Glibc
import NetworkTypes
import TestSupport
import Testing

@testable import Netlink

@Suite(.requires(.root)) struct OwnerTableTests {
    private static let tcp = UInt8(IPPROTO_TCP)
    private static let udp = UInt8(IPPROTO_UDP)
    private static let loopback = IPAddress.v4(0x7F00_0001)
    private static let elsewhere = IPAddress.v4(0x0A00_0009)

    private static func socket(_ family: Int32, _ type: __socket_type, port: UInt16, loopback isLoopback: Bool) throws -> Int32 {
        let fd = try succeeded(Glibc.socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0), "socket")
        var v4 = sockaddr_in()
        v4.sin_family = sa_family_t(AF_INET)
        v4.sin_port = port.bigEndian
        if isLoopback { v4.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian }
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        v6.sin6_port = port.bigEndian
        let result = family == AF_INET ? withAddress(&v4) { bind(fd, $0, $1) } : withAddress(&v6) { bind(fd, $0, $1) }
        try succeeded(result, "bind")
        return fd
    }

    private static func withAddress<A, T>(_ address: inout A, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<A>.size)) }
        }
    }

    private static func connect(_ fd: Int32, port: UInt16) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try succeeded(withAddress(&address) { Glibc.connect(fd, $0, $1) }, "connect")
    }

    @Test func ownSocketsAreFound() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.run {
            let server = try Self.socket(AF_INET, SOCK_STREAM, port: 5001, loopback: true)
            try succeeded(listen(server, 4), "listen")
            let client = try Self.socket(AF_INET, SOCK_STREAM, port: 5002, loopback: true)
            try Self.connect(client, port: 5001)
            let accepted = try succeeded(accept(server, nil, nil), "accept")
            let datagram = try Self.socket(AF_INET, SOCK_DGRAM, port: 5003, loopback: false)
            let dual = try Self.socket(AF_INET6, SOCK_DGRAM, port: 5004, loopback: false)
            defer { for fd in [server, client, accepted, datagram, dual] { close(fd) } }

            let table = try OwnerTable()
            let own = OwnerTable.Owner.process(.init(pid: getpid(), command: try Self.ownCommand()), others: 0)
            func owner(_ ipProtocol: UInt8, _ local: IPAddress, _ localPort: UInt16, _ remote: IPAddress, _ remotePort: UInt16)
                -> OwnerTable.Owner
            {
                let found = table.lookup(ipProtocol: ipProtocol, local: local, localPort: localPort, remote: remote, remotePort: remotePort)
                // Children that other tests start meanwhile hold copies of our descriptors until they run their program.
                if case .process(let process, _) = found { return .process(process, others: 0) }
                return found
            }
            // Both ends of a connection, and what would come to the listener.
            #expect(owner(Self.tcp, Self.loopback, 5002, Self.loopback, 5001) == own)
            #expect(owner(Self.tcp, Self.loopback, 5001, Self.loopback, 5002) == own)
            #expect(owner(Self.tcp, Self.loopback, 5001, Self.loopback, 6000) == own)
            // Bound to any address, of one family and of both.
            #expect(owner(Self.udp, Self.elsewhere, 5003, Self.loopback, 53) == own)
            #expect(owner(Self.udp, Self.elsewhere, 5004, Self.loopback, 53) == own)
            #expect(owner(Self.udp, .v6(high: 0xFD00 << 48, low: 1), 5004, .v6(high: 0xFD00 << 48, low: 2), 53) == own)
            // What nobody has.
            #expect(owner(Self.udp, .v6(high: 0xFD00 << 48, low: 1), 5003, .v6(high: 0xFD00 << 48, low: 2), 53) == .unknown(.noSocket))
            #expect(owner(Self.udp, Self.loopback, 5001, Self.loopback, 5002) == .unknown(.noSocket))
            #expect(owner(Self.tcp, Self.elsewhere, 5001, Self.loopback, 6000) == .unknown(.noSocket))
            #expect(owner(1, Self.loopback, 0, Self.loopback, 0) == .unknown(.otherProtocol))
        }
    }

    @Test func anotherProcessIsNamed() async throws {
        let namespace = try await TestNamespace()
        let server = try await BackgroundProcess.start(
            [
                "python3", "-u", "-c",
                "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',5005)); s.listen(); print('ready'); time.sleep(60)",
            ], in: namespace)
        try await server.waitFor(output: "ready")
        let owner = try await namespace.run {
            try OwnerTable().lookup(ipProtocol: Self.tcp, local: Self.loopback, localPort: 5005, remote: Self.loopback, remotePort: 1)
        }
        guard case .process(let process, others: 0) = owner else {
            Issue.record("not a process: \(owner)")
            return
        }
        #expect(process.pid == server.pid && process.command.hasPrefix("python3"))
        #expect(owner.description == "\(process.command) (\(server.pid))")
        _ = try server.stop()
    }

    @Test func aClosedConnectionHasNoProcess() async throws {
        let namespace = try await TestNamespace()
        try await namespace.run {
            let server = try Self.socket(AF_INET, SOCK_STREAM, port: 5006, loopback: true)
            try succeeded(listen(server, 4), "listen")
            let client = try Self.socket(AF_INET, SOCK_STREAM, port: 5007, loopback: true)
            try Self.connect(client, port: 5006)
            let accepted = try succeeded(accept(server, nil, nil), "accept")
            // The client ends it first: its side stays in TIME_WAIT. By shutdown, because a child that another test starts at this
            // moment has the descriptors too until it runs its own program.
            for end in [client, accepted] {
                shutdown(end, Int32(SHUT_RDWR))
                close(end)
            }
            close(server)
            // Older kernels leave a socket out of every listing while it becomes a TIME_WAIT one: `ss` says when it is past that.
            let limit = ContinuousClock.now + .seconds(5).stretched
            var waiting = ""
            repeat {
                waiting = try sh("ss -Htan state time-wait sport = 5007 and dport = 5006")
            } while waiting.isEmpty && ContinuousClock.now < limit
            #expect(!waiting.isEmpty)
            let owner = try OwnerTable().lookup(
                ipProtocol: Self.tcp, local: Self.loopback, localPort: 5007, remote: Self.loopback, remotePort: 5006)
            let listing = try sh("ss -tane")
            #expect(owner == .unknown(.noProcess), "\(listing)")
        }
    }

    @Test func theWalkIsBounded() async throws {
        let namespace = try await TestNamespace()
        try await namespace.run {
            let fd = try Self.socket(AF_INET, SOCK_DGRAM, port: 5008, loopback: true)
            defer { close(fd) }
            var bounds = OwnerTable.Bounds()
            bounds.processes = 0
            let owner = try OwnerTable(bounds: bounds).lookup(
                ipProtocol: Self.udp, local: Self.loopback, localPort: 5008, remote: Self.loopback, remotePort: 1)
            #expect(owner == .user(0, .walkBounded))
        }
    }

    @Test func descriptorsThatAreSockets() {
        func inode(_ text: String) -> UInt32? { ProcessWalk.inode(Array(text.utf8)[...]) }
        #expect(inode("socket:[4711]") == 4711)
        for text in ["socket:[]", "socket:[4711", "pipe:[4711]", "/dev/null", "socket:[-1]", "socket:[99999999999]"] {
            #expect(inode(text) == nil)
        }
    }

    private static func ownCommand() throws -> String { String(try contents(of: "/proc/self/comm").dropLast()) }
}
