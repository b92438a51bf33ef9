import CLinux
import Datapath
import Flows
import Glibc
import NetworkTypes

/// Two network namespaces joined by a veth pair, `va` at 10.0.0.1 and `vb` at 10.0.0.2, and a datapath that can be put on both.
///
/// They are anonymous: they end with this process. Traffic, sent and received, stays on the CPU of the thread that sends.
/// Unchecked: the flow table belongs to the collector's thread while one runs; all else to the thread that made the pair.
final class VethPair: @unchecked Sendable {
    static let macB: [UInt8] = [0x02, 0, 0, 0, 0, 0xb1]
    let a: Int32
    let b: Int32
    private let home: Int32
    let datapath: Datapath
    private var table = FlowTable(limit: 4_000_000)
    private var collector: DrainingCollector?
    private(set) var attached: [(id: InterfaceID, namespace: Int32)] = []
    private var empties: [TCXLink] = []
    private let cpu: Int
    private let collectorCPU: Int

    init(_ plan: Plan) throws {
        cpu = plan.cpu
        collectorCPU = plan.otherCPU
        home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        b = try Self.newNamespace()
        a = try Self.newNamespace()
        datapath = try Datapath(options: .init())
        defer { lx_setns_net(home) }
        let quiet = "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 && ip link set lo up"
        try enter(b)
        try shell(quiet)
        try enter(a)
        try shell(quiet)
        try shell(
            "ip link add va address 02:00:00:00:00:a1 type veth peer name vb address 02:00:00:00:00:b1 netns /proc/\(getpid())/fd/\(b)")
        try shell("ip addr add 10.0.0.1/8 dev va && ip link set va up")
        try enter(b)
        try shell(
            "ip addr add 10.0.0.2/8 dev vb && ip link set vb up && ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:a1 nud permanent dev vb")
        try enter(a)
        try shell("ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:b1 nud permanent dev va")
        collector = try DrainingCollector(datapath) { [unowned self] in try datapath.reader.collect(into: &table, tick: 1) { _ in } }
    }

    deinit {
        for namespace in [a, b, home] { close(namespace) }
    }

    private static func newNamespace() throws -> Int32 {
        guard lx_unshare_net() == 0 else { throw BenchError("make a network namespace", errno: errno) }
        let namespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard namespace >= 0 else { throw BenchError("open a network namespace", errno: errno) }
        return namespace
    }

    func enter(_ namespace: Int32) throws {
        guard lx_setns_net(namespace) == 0 else { throw BenchError("enter a network namespace", errno: errno) }
    }

    func leave() throws { try enter(home) }

    /// What is put on the devices.
    enum Load {
        /// The datapath, on ingress and egress of both devices.
        case both
        /// The same on the sender's device alone.
        case sender
        /// An empty program instead, on ingress and egress of both devices: what the hooks themselves cost.
        case empty(Testbed)
    }

    /// Puts the programs on the devices, and a collector on the other CPU.
    func attach(_ load: Load) throws {
        try leave()
        if case .empty(let bed) = load { return try attachEmpty(bed.descriptor(of: .empty)) }
        var toReceiver = false
        if case .both = load { toReceiver = true }
        try collector?.start(on: collectorCPU)
        for (name, namespace) in [("va", a), ("vb", b)] where toReceiver || namespace == a {
            try enter(namespace)
            let device = Device(ifindex: if_nametoindex(name), name: name, namespaceCookie: lx_netns_cookie())
            let none = DeviceCounters(packets: 0, bytes: 0)
            attached.append((try datapath.attach(device, counters: { [none, none] }), namespace))
        }
        try leave()
    }

    private func attachEmpty(_ program: Int32) throws {
        for (name, namespace) in [("va", a), ("vb", b)] {
            try enter(namespace)
            for direction in Direction.allCases {
                empties.append(try TCXLink.attach(program: program, ifindex: if_nametoindex(name), direction, first: true))
            }
        }
        try leave()
    }

    func detach() throws {
        if !empties.isEmpty {
            // Closing its link ends an attachment.
            empties = []
            return
        }
        for (id, namespace) in attached {
            try enter(namespace)
            try datapath.detach(id)
        }
        attached = []
        try leave()
        try collector?.stop()
    }

    /// Packets seen so far, and those of them in no flow.
    func counted() -> (seen: UInt64, overflow: UInt64) {
        datapath.allInterfaces.reduce((0, 0)) { sum, interface in
            Direction.allCases.compactMap { datapath.books(interface.id, $0) }.reduce(sum) {
                ($0.0 + $1.seen.skbs, $0.1 + $1.overflowTotal.skbs)
            }
        }
    }

    /// The ratio of CPU time without the programs to that with them, in percent, one per pair of runs; each run comes once first and
    /// once second in turn, so that what drifts weighs on both alike.
    func kept(pairs: Int, _ load: Load = .both, _ run: () throws -> Void) throws -> (percent: [Double], without: [Double]) {
        try stay(on: cpu)
        let clock = try WorkClock(cpu: cpu)
        func time() throws -> Double {
            let start = try clock.now()
            try run()
            return try clock.now() - start
        }
        func timeAttached() throws -> Double {
            try attach(load)
            // The flows' first packets are not what is measured.
            try run()
            let spent = try time()
            try detach()
            return spent
        }
        var percent: [Double] = []
        var bare: [Double] = []
        try run()
        for pair in 0..<pairs {
            var without = 0.0
            if pair % 2 == 0 { without = try time() }
            let with = try timeAttached()
            if pair % 2 == 1 { without = try time() }
            bare.append(without)
            percent.append(100 * without / with)
        }
        return (percent, bare)
    }
}

/// Words as posix_spawn(3) takes them; the caller frees each.
func arguments(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] { words.map { strdup($0) } + [nil] }

/// Runs a command in the calling thread's namespace.
func shell(_ command: String) throws {
    let words = arguments(["sh", "-ec", command])
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    var status: Int32 = 0
    let code = posix_spawn(&child, "/bin/sh", nil, nil, words, environ)
    if code != 0 { throw BenchError("run \(command)", errno: code) }
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    if status != 0 { throw BenchError("\(command): status \(status >> 8)") }
}

/// Runs a command in the calling thread's namespace that reads a text.
func shellInput(_ command: String, _ text: String) throws {
    var path = Array("/tmp/nilo-bench-XXXXXX".utf8CString)
    let file = mkstemp(&path)
    guard file >= 0 else { throw BenchError("make a temporary file", errno: errno) }
    let name = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
        close(file)
        unlink(name)
    }
    let bytes = Array(text.utf8)
    guard bytes.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == bytes.count else {
        throw BenchError("write a temporary file", errno: errno)
    }
    try shell("\(command) <\(name)")
}
