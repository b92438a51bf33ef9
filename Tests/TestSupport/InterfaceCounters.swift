import Foundation

/// What `ip -s link` shows of an interface.
public struct InterfaceCounters: Equatable, Sendable {
    public struct Direction: Equatable, Sendable, Decodable {
        public var packets: UInt64
        public var bytes: UInt64
        public var dropped: UInt64
        public var errors: UInt64

        public init(packets: UInt64 = 0, bytes: UInt64 = 0, dropped: UInt64 = 0, errors: UInt64 = 0) {
            self.packets = packets
            self.bytes = bytes
            self.dropped = dropped
            self.errors = errors
        }

        static func - (a: Direction, b: Direction) -> Direction {
            Direction(packets: a.packets - b.packets, bytes: a.bytes - b.bytes, dropped: a.dropped - b.dropped, errors: a.errors - b.errors)
        }
    }
    public var received: Direction
    public var sent: Direction

    public init(received: Direction = Direction(), sent: Direction = Direction()) {
        self.received = received
        self.sent = sent
    }

    /// What was counted since `earlier`; counters only grow.
    public static func - (later: InterfaceCounters, earlier: InterfaceCounters) -> InterfaceCounters {
        InterfaceCounters(received: later.received - earlier.received, sent: later.sent - earlier.sent)
    }
}

private struct LinkReport: Decodable {
    struct Statistics: Decodable {
        var rx: InterfaceCounters.Direction
        var tx: InterfaceCounters.Direction
    }
    /// nil: iproute2 prints an empty object for an interface that its filter leaves out.
    var ifname: String?
    var operstate: String?
    var stats64: Statistics?
}

extension NetworkNamespace {
    /// What the kernel makes in each namespace once a module of tunnels is loaded (net.core.fb_tunnels_only_for_init_net).
    public static let fallbackTunnels: Set<String> = [
        "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "sit0", "ip6tnl0", "ip6gre0", "ip6_vti0",
    ]

    /// `ip -s -j link show dev INTERFACE`.
    public func counters(of interface: String) async throws -> InterfaceCounters {
        guard let statistics = try await links("-s", "dev \(interface)").first?.stats64 else {
            throw SystemError(command: "ip -s -j link show dev \(interface)", status: 0, output: "no statistics")
        }
        return InterfaceCounters(received: statistics.rx, sent: statistics.tx)
    }

    /// Waits until every interface that was told to come up has: before that, what it is given to send is dropped.
    public func waitForCarrier(within limit: Duration = .seconds(30)) async throws {
        let states = ["UP", "UNKNOWN"]
        if try await eventually(within: limit, { try await links("", "up").allSatisfy { states.contains($0.operstate ?? "") } }) { return }
        throw SystemError(command: "bring interfaces up", status: 0, output: try await sh("ip link show up"))
    }

    private func links(_ options: String, _ which: String) async throws -> [LinkReport] {
        let text = try await sh("ip \(options) -j link show \(which)")
        return try JSONDecoder().decode([LinkReport].self, from: Data(text.utf8)).filter { $0.ifname != nil }
    }

    /// A counter of /proc/net/snmp in the namespace, such as `snmp("Tcp", "OutSegs")`.
    public func snmp(_ group: String, _ name: String) async throws -> UInt64 {
        // /proc/net is that of the process's first thread: not the namespace that this thread is in.
        let text = try await run { try contents(of: "/proc/thread-self/net/snmp") }
        let lines = text.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.first == "\(group):" }
        guard lines.count == 2, let column = lines[0].firstIndex(where: { $0 == name }), column < lines[1].count,
            let value = UInt64(lines[1][column])
        else { throw SystemError(command: "read \(group) \(name) of /proc/net/snmp", status: 0, output: text) }
        return value
    }

    /// TCP segments sent, each segment of a super-packet counted; retransmitted ones are not among them (`RetransSegs`).
    public func tcpSegmentsSent() async throws -> UInt64 { try await snmp("Tcp", "OutSegs") }
}
