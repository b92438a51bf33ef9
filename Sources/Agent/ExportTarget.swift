import Configuration
import Datapath
import Flows
import Glibc
import IPFIX
import Logging
import NetworkTypes
import Reports

/// One IPFIX collector: its socket, its exporter, and what could not be delivered.
///
/// Never blocks: a collector that does not take messages loses them, counted, and is tried again.
final class ExportTarget {
    private let configuration: AgentConfiguration.Export
    private let log: Log
    private var exporter: IPFIXExporter
    private var socket: Int32 = -1
    /// Bytes of a message that TCP has not taken yet.
    private var unsent: [UInt8] = []
    private var retryAt: Timestamp?
    private(set) var problem: String?
    /// UDP: what the latest datagrams carried. That nobody takes them is told a moment after they were sent, or never.
    private var inDoubt: [ExportedFlow] = []

    /// What TCP may leave behind before the connection is given up.
    private static let unsentBound = 4 << 20

    init(_ configuration: AgentConfiguration.Export, domain: UInt32, log: Log) {
        self.configuration = configuration
        self.log = log
        var options = IPFIXExporter.Configuration()
        options.observationDomain = domain
        options.transport = configuration.transport == .udp ? .udp : .tcp
        options.templateInterval = configuration.templateRefresh
        exporter = IPFIXExporter(options)
    }

    deinit { if socket >= 0 { close(socket) } }

    var report: StatusReport.Export {
        .init(
            target: "ipfix \(configuration.transport.rawValue) \(configuration.collector)", records: exporter.exportedRecords,
            messages: exporter.exportedMessages, notSent: exporter.losses.notSentFlows, problem: problem)
    }

    /// Does this collector want flows of an interface?
    private func wants(_ name: String) -> Bool {
        configuration.observationPointInterfaces.isEmpty || configuration.observationPointInterfaces.contains { $0.matches(name) }
    }

    /// Sends what is due. Collectors get IP flows; ARP and the like have no place in their records.
    func send(_ due: [Collector.FlowExport], interfaces: [InterfaceID: Datapath.Interface], overflow: Totals, now: Timestamp) {
        let flows = due.compactMap { flow -> ExportedFlow? in
            guard flow.delta.wirePackets > 0, flow.record.key.outer.source != nil, let interface = interfaces[flow.record.key.interface],
                wants(interface.name)
            else { return nil }
            return ExportedFlow(
                key: flow.record.key, interfaceIndex: interface.ifindex, delta: flow.delta, traits: flow.record.traits,
                endReason: flow.end)
        }
        exporter.interfaces = interfaces.values.filter { wants($0.name) }
            .map { .init(identity: $0.id, index: $0.ifindex, name: $0.name) }
        exporter.losses.ignoredPackets = overflow.wirePackets
        exporter.losses.ignoredOctets = overflow.wireBytes
        checkRefusal()
        guard isConnected(now) else {
            lose(flows)
            return
        }
        let messages = exporter.messages(for: flows, at: now)
        for message in messages where !deliver(message) {
            lose(flows)
            return
        }
        if configuration.transport == .udp, !messages.isEmpty { inDoubt = flows }
    }

    /// Over UDP, whether a host has said that nobody listens there (ICMP, as ECONNREFUSED): then the latest flows did not arrive.
    private func checkRefusal() {
        guard socket >= 0, configuration.transport == .udp else { return }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code != 0 else { return }
        lose(inDoubt)
        fail("send: \(String(cString: strerror(code)))")
    }

    private func lose(_ flows: [ExportedFlow]) {
        exporter.losses.notSentFlows += UInt64(flows.count)
        for flow in flows {
            exporter.losses.notSentPackets += flow.delta.wirePackets
            exporter.losses.notSentOctets += flow.delta.wireBytes
        }
    }

    private func isConnected(_ now: Timestamp) -> Bool {
        if socket >= 0 { return true }
        if let retryAt, now < retryAt { return false }
        retryAt = now + .seconds(5)
        var hints = addrinfo()
        hints.ai_socktype = configuration.transport == .udp ? Int32(SOCK_DGRAM.rawValue) : Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(configuration.collector.host, "\(configuration.collector.port)", &hints, &found)
        guard result == 0, let address = found else {
            fail("look up: \(String(cString: gai_strerror(result)))")
            return false
        }
        defer { freeaddrinfo(found) }
        let fd = Glibc.socket(
            address.pointee.ai_family, address.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.ai_protocol)
        guard fd >= 0 else {
            fail("socket: \(String(cString: strerror(errno)))")
            return false
        }
        // A connection that takes longer than this is a problem to report, not to wait for.
        var patience = timeval(tv_sec: 0, tv_usec: 500_000)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard connect(fd, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            fail("connect: \(String(cString: strerror(errno)))")
            close(fd)
            return false
        }
        _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
        socket = fd
        unsent = []
        problem = nil
        exporter.sessionStarted()
        log.info("collector connected", ["collector": LogValue(configuration.collector.description)])
        return true
    }

    private func fail(_ why: String) {
        if problem != why {
            log.warning("collector not reached", ["collector": LogValue(configuration.collector.description), "reason": LogValue(why)])
        }
        problem = why
        if socket >= 0 { close(socket) }
        socket = -1
        inDoubt = []
    }

    /// - Returns: false when the message is lost and the session has ended.
    private func deliver(_ message: [UInt8]) -> Bool {
        if configuration.transport == .udp {
            if Glibc.send(socket, message, message.count, Int32(MSG_NOSIGNAL)) == message.count { return true }
            // ECONNREFUSED tells of a datagram of this turn: nobody listens there.
            fail("send: \(String(cString: strerror(errno)))")
            return false
        }
        unsent += message
        while !unsent.isEmpty {
            let count = Glibc.send(socket, unsent, unsent.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                unsent.removeFirst(count)
            } else if errno == EAGAIN && unsent.count < Self.unsentBound {
                return true
            } else if errno != EINTR {
                fail("send: \(String(cString: strerror(errno)))")
                return false
            }
        }
        return true
    }
}
