import CBench
import CDatapath
import CLinux
import Datapath
import Glibc
import Netlink
import NetworkTypes
import Policy

/// Host a of a veth pair, whose `va` is mirrored over `ta`, a second pair, to `tb` in a third namespace.
///
/// What comes there is addressed to another station and thrown away at once: a collector's work is not a mirror's cost.
final class MirrorBed {
    /// What does the copying.
    enum Way: Hashable {
        case nothing
        /// The datapath counts on `va`, and no rule applies there.
        case counting
        /// A u32 filter that matches everything, and the action mirred.
        case mirred(counting: Bool)
        /// The same to a VXLAN device of the kernel: the plain design for a remote target.
        case mirredToVXLAN
        case session(Session)
    }
    enum Session: Hashable { case whole, oneInTen, capped, cut, vxlan }

    private let pair: VethPair
    private let t: Int32
    private let datapath: Datapath
    private let port: MirrorPortProgram
    private var id: InterfaceID?
    private let device: Device
    private let target: UInt32
    private let portEnd: UInt32

    init(_ plan: Plan) throws {
        pair = try VethPair(plan)
        datapath = try Datapath(options: .init())
        port = try MirrorPortProgram(maps: datapath.maps)
        guard lx_unshare_net() == 0 else { throw BenchError("make a network namespace", errno: errno) }
        t = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        try shell("sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        try pair.enter(pair.a)
        try shell(
            """
            ip link add ta mtu 1600 address 02:00:00:00:09:01 type veth peer name tb mtu 1600 address 02:00:00:00:09:02 netns /proc/\(getpid())/fd/\(t)
            ip link set ta up; ip addr add 192.0.2.1/24 dev ta
            ip neigh replace 192.0.2.2 lladdr 02:00:00:00:09:77 dev ta nud permanent
            ip link add vx0 mtu 1500 type vxlan id 5 remote 192.0.2.2 local 192.0.2.1 dev ta dstport 4789 noudpcsum
            ip link set vx0 up
            """)
        target = if_nametoindex("ta")
        device = Device(ifindex: if_nametoindex("va"), name: "va", namespaceCookie: lx_netns_cookie())
        let made = try NetlinkSocket().makeMirrorPort()
        try port.attach(out: UInt32(made.out), in: UInt32(made.in))
        portEnd = UInt32(made.out)
        try pair.enter(t)
        try shell("ip link set tb up")
        try pair.leave()
    }

    deinit { close(t) }

    var a: Int32 { pair.a }
    var b: Int32 { pair.b }
    func enter(_ namespace: Int32) throws { try pair.enter(namespace) }
    func leave() throws { try pair.leave() }

    func counts() throws -> MirrorCounts { try MirrorTables(maps: datapath.maps).counts(of: 0) }

    private func session(_ kind: Session) -> MirrorSession {
        var session = MirrorSession(namespaceCookie: device.namespaceCookie, target: .interface(target, mtu: 1600), port: portEnd)
        switch kind {
        case .whole: break
        case .oneInTen: session.selection = .packets(oneIn: 10)
        case .capped: session.limit = .packets(PacketRate(packets: 1000, over: .seconds(1)))
        case .cut: session.snapLength = 64
        case .vxlan:
            let remote = IPAddress("192.0.2.2")!
            session.target = .collector(
                MirrorTunnel(.vxlan(vni: 0xff0001, port: 4789), from: IPAddress("192.0.2.1")!, to: remote),
                MirrorPath(interface: target, nexthop: remote, mtu: 1600))
        }
        return session
    }

    func start(_ way: Way) throws {
        try pair.enter(pair.a)
        defer { try? pair.leave() }
        switch way {
        case .nothing: return
        case .mirred(let counting):
            try startMirred("ta")
            if counting { try startCounting() }
        case .mirredToVXLAN: try startMirred("vx0")
        case .counting: try startCounting()
        case .session(let kind):
            try startCounting()
            try MirrorTables(maps: datapath.maps).install(session(kind), at: 0)
            var step = nilo_instruction()
            step.operation = UInt8(NILO_OP_MIRROR.rawValue)
            (step.on_true, step.on_false) = (1, 1)
            try PolicyTables(maps: datapath.maps).replace([step, nilo_instruction()])
            if let id { try datapath.setRules(id, at: [.egress]) }
        }
    }

    private func startMirred(_ target: String) throws {
        try shell(
            """
            tc qdisc add dev va clsact
            tc filter add dev va egress protocol all u32 match u32 0 0 action mirred egress mirror dev \(target)
            """)
    }

    private func startCounting() throws {
        let none = DeviceCounters(packets: 0, bytes: 0)
        id = try datapath.attach(device, counters: { [none, none] })
    }

    func stop(_ way: Way) throws {
        try pair.enter(pair.a)
        defer { try? pair.leave() }
        if let id { try datapath.detach(id) }
        id = nil
        switch way {
        case .mirred, .mirredToVXLAN: try shell("tc qdisc del dev va clsact")
        default: break
        }
    }

    /// The time that work takes each way, seconds of one CPU, each round all of them in turn, forwards and backwards alternately.
    func times(_ ways: [Way], rounds: Int, cpu: Int, _ work: () throws -> Void) throws -> [Way: [Double]] {
        try stay(on: cpu)
        let clock = try WorkClock(cpu: cpu)
        var times: [Way: [Double]] = [:]
        for round in 0..<rounds {
            for way in round % 2 == 0 ? ways : ways.reversed() {
                try start(way)
                try work()  // The flows' first packets are not what is measured.
                let begin = try clock.now()
                try work()
                times[way, default: []].append(try clock.now() - begin)
                try stop(way)
            }
        }
        return times
    }
}
