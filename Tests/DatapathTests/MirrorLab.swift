import CDatapath
import Datapath
import Flows
import class Netlink.NetlinkSocket
import NetworkTypes
import Policy
import TestSupport
import Testing

/// A pair of hosts whose host a mirrors what passes its `va` to a third one: over `ta`, whose other end `tb` is in namespace `t`.
struct MirrorLab {
    let pair: Pair
    let t: NetworkNamespace
    let probe: Probe
    let source: InterfaceID
    let capture: FrameCapture
    let cookie: UInt64
    /// The numbers of `ta` and of the mirror port's end for copies, in a's namespace.
    let target: UInt32
    let port: UInt32

    static let collector = IPAddress("192.0.2.2")!
    static let own = IPAddress("192.0.2.1")!
    static let collector6 = IPAddress("2001:db8::2")!
    static let own6 = IPAddress("2001:db8::1")!
    static let vni: UInt32 = 0xff0001

    init(
        _ mode: AttachMode = .auto, ipv6: Bool = false, offloads: Offloads? = .off, mtu: Int = 1500, targetMTU: Int = 1500
    ) async throws {
        pair = try await Pair(ipv6: ipv6, mtu: mtu, offloads: offloads)
        t = try await NetworkNamespace(ipv6: ipv6)
        try await pair.a.sh(
            """
            ip link add ta mtu \(targetMTU) address 02:00:00:00:09:01 type veth peer name tb mtu \(targetMTU) address 02:00:00:00:09:02 \
            netns \(t.path)
            ip link set ta up
            ip addr add 192.0.2.1/24 dev ta
            ip neigh replace 192.0.2.2 lladdr 02:00:00:00:09:02 dev ta nud permanent
            """)
        try await t.sh("ip link set tb up")
        if ipv6 {
            try await pair.a.sh(
                "ip addr add 2001:db8::1/64 dev ta nodad; ip neigh replace 2001:db8::2 lladdr 02:00:00:00:09:02 dev ta nud permanent")
        }
        try await pair.a.waitForCarrier()
        cookie = try await pair.a.cookie()
        target = try await pair.a.index(of: "ta")
        probe = try Probe(mode)
        source = try await probe.attach("va", in: pair.a)
        port = try await Self.makePort(probe, in: pair.a)
        capture = try await FrameCapture(on: "tb", in: t)
    }

    /// Another namespace's mirror port; the number of its end for copies.
    func makePort(in namespace: NetworkNamespace) async throws -> UInt32 { try await Self.makePort(probe, in: namespace) }

    private static func makePort(_ probe: Probe, in namespace: NetworkNamespace) async throws -> UInt32 {
        try await probe.perform(in: namespace) { datapath in
            let device = try NetlinkSocket().makeMirrorPort()
            let program = try MirrorPortProgram(maps: datapath.maps)
            try program.attach(out: UInt32(device.out), in: UInt32(device.in))
            return UInt32(device.out)
        }
    }

    /// A session of this host to `ta`.
    func toInterface(mtu: Int = 1500, _ change: (inout MirrorSession) -> Void = { _ in }) -> MirrorSession {
        var session = MirrorSession(namespaceCookie: cookie, target: .interface(target, mtu: mtu), port: port)
        change(&session)
        return session
    }

    /// A session of this host to a collector in namespace `t`.
    func toCollector(
        _ encapsulation: MirrorTunnel.Encapsulation = .vxlan(vni: MirrorLab.vni, port: 4789), ipv6: Bool = false, mtu: Int = 1500,
        _ change: (inout MirrorSession) -> Void = { _ in }
    ) -> MirrorSession {
        let tunnel = MirrorTunnel(encapsulation, from: ipv6 ? Self.own6 : Self.own, to: ipv6 ? Self.collector6 : Self.collector)
        let path = MirrorPath(interface: target, nexthop: ipv6 ? Self.collector6 : Self.collector, mtu: mtu)
        var session = MirrorSession(namespaceCookie: cookie, target: .collector(tunnel, path), port: port)
        change(&session)
        return session
    }

    /// Puts sessions 0, 1, … in force for all packets of `va` in a direction.
    func start(_ sessions: MirrorSession..., at directions: Set<Direction> = [.egress]) async throws {
        try await probe.start(sessions, on: source, in: pair.a, at: directions)
    }

    func counts(_ session: Int = 0) async throws -> MirrorCounts {
        try await probe.perform(in: pair.a) { try MirrorTables(maps: $0.maps).counts(of: session) }
    }

    /// Waits until nothing is left in the mirror port.
    func settled(_ session: Int = 0) async throws -> MirrorCounts {
        _ = try await eventually(within: .seconds(3)) { try await counts(session).missing == 0 }
        return try await counts(session)
    }

    /// The frames that came to the target since the last call, once at least `count` are there.
    func arrived(_ count: Int) async throws -> [[UInt8]] {
        var frames: [[UInt8]] = []
        // Without what the kernel of host a says by itself: IPv6 multicast reports from `ta`'s own address.
        let own = macBytes("02:00:00:00:09:01")
        func take() throws -> [[UInt8]] {
            try capture.take().filter { !$0.isOutgoing }.map(\.bytes).filter {
                !($0[0] == 0x33 && $0[1] == 0x33 && Array($0[6..<12]) == own)
            }
        }
        _ = try await eventually(within: .seconds(3)) {
            frames += try take()
            return frames.count >= count
        }
        try await Task.sleep(for: .milliseconds(30))
        return frames + (try take())
    }
}

extension Probe {
    /// Installs sessions and puts a policy in force that names them all.
    func start(
        _ sessions: [MirrorSession], on interface: InterfaceID, in namespace: NetworkNamespace, at directions: Set<Direction>
    ) throws {
        try perform(in: namespace) { datapath in
            let tables = try MirrorTables(maps: datapath.maps)
            for (index, session) in sessions.enumerated() { try tables.install(session, at: index) }
            var program = sessions.indices.map { index in
                var step = nilo_instruction()
                step.operation = UInt8(NILO_OP_MIRROR.rawValue)
                step.low = UInt32(index)
                step.on_true = UInt16(index + 1)
                step.on_false = UInt16(index + 1)
                return step
            }
            program.append(nilo_instruction())
            try PolicyTables(maps: datapath.maps).replace(program)
            try datapath.setRules(interface, at: directions)
        }
    }
}
