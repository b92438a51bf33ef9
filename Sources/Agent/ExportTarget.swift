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
/// Never blocks: a collector that does not take messages loses them, counted flow by flow, and is tried again. What is due while it is being
/// connected to waits for that.
final class ExportTarget {
    typealias Connect = @Sendable (AgentConfiguration.Export) -> ConnectionAttempt.Outcome
    /// send(2): bytes taken, or -1 and errno.
    typealias Transmit = (Int32, UnsafeRawBufferPointer) -> Int

    let configuration: AgentConfiguration.Export
    private let log: Log
    private let connect: Connect
    private let transmit: Transmit
    private var exporter: IPFIXExporter
    private var socket: Int32 = -1
    private var attempt: ConnectionAttempt?
    private var retryAt: Timestamp?
    private(set) var problem: String?
    /// Due while an attempt goes on.
    private var waiting: [ExportedFlow] = []
    /// TCP: messages that the kernel has not wholly taken, in order, and how much of the first it has.
    private var pending: [ExportedMessage] = []
    private var taken = 0
    /// UDP: what the latest datagrams carried. That nobody takes them is told a moment after they were sent, or never.
    private var inDoubt = ExportedAmount()

    /// What TCP may leave behind before the connection is given up.
    private static let pendingBound = 4 << 20
    /// Flows that may wait for a connection.
    private static let waitingBound = 100_000

    init(
        _ configuration: AgentConfiguration.Export, domain: UInt32, log: Log, connect: @escaping Connect = ConnectionAttempt.connect,
        transmit: @escaping Transmit = { Glibc.send($0, $1.baseAddress, $1.count, Int32(MSG_NOSIGNAL)) }
    ) {
        self.configuration = configuration
        self.log = log
        self.connect = connect
        self.transmit = transmit
        var options = IPFIXExporter.Configuration()
        options.observationDomain = domain
        options.transport = configuration.transport == .udp ? .udp : .tcp
        options.templateInterval = configuration.templateRefresh
        exporter = IPFIXExporter(options)
    }

    deinit {
        attempt?.abandon()
        if socket >= 0 { close(socket) }
    }

    var report: StatusReport.Export {
        .init(
            target: "ipfix \(configuration.transport.rawValue) \(configuration.collector)", records: exporter.exportedRecords,
            messages: exporter.exportedMessages, notSent: exporter.losses.notSentFlows, problem: problem)
    }

    /// Flows in messages that the kernel has not wholly taken.
    var pendingFlows: UInt64 { pending.reduce(0) { $0 + $1.carried.flows } }

    /// Does this collector want flows of an interface?
    private func wants(_ name: String) -> Bool {
        configuration.observationPointInterfaces.isEmpty || configuration.observationPointInterfaces.contains { $0.matches(name) }
    }

    // MARK: Sending

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
        send(flows, now: now)
    }

    func send(_ flows: [ExportedFlow], now: Timestamp) {
        checkRefusal()
        guard isConnected(now) else {
            if attempt != nil, waiting.count + flows.count <= Self.waitingBound {
                waiting += flows
            } else {
                exporter.losses.add(ExportedAmount(flows))
            }
            return
        }
        let messages = exporter.messages(for: waiting + flows, at: now)
        waiting = []
        if configuration.transport == .udp {
            sendDatagrams(messages)
        } else {
            pending += messages
            flush()
        }
    }

    /// The last of it: waits a moment for a connection that is being made, and for a collector that is slow.
    func finish(now: Timestamp, patience: Duration = .milliseconds(500)) {
        if !waiting.isEmpty {
            attempt?.wait(.milliseconds(Int(patience / .milliseconds(1))))
            send([], now: now)
        }
        let end = ContinuousClock.now + patience
        while !pending.isEmpty, ContinuousClock.now < end {
            var one = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            _ = poll(&one, 1, 100)
            flush()
        }
        endSession()
        let lost = exporter.losses.notSentFlows
        if lost > 0 {
            log.warning(
                "flows were not exported", ["collector": LogValue(configuration.collector.description), "flows": LogValue(lost)])
        }
    }

    /// One that the kernel does not take is lost alone; that nobody listens ends the session, and with it this turn.
    private func sendDatagrams(_ messages: [ExportedMessage]) {
        var sent = ExportedAmount()
        var failure: String?
        for (index, message) in messages.enumerated() {
            if message.bytes.withUnsafeBytes({ transmit(socket, $0) }) == message.bytes.count {
                sent += message.carried
                continue
            }
            let code = errno
            let why = "send: \(String(cString: strerror(code)))"
            guard code != ECONNREFUSED else {
                // It tells of the datagrams before this one.
                inDoubt = sent
                for unsent in messages[index...] { inDoubt += unsent.carried }
                return fail(why)
            }
            exporter.losses.add(message.carried)
            failure = why
        }
        guard !messages.isEmpty else { return }
        inDoubt = sent
        if let failure { remark(failure) } else { problem = nil }
    }

    private func flush() {
        var done = 0
        defer { pending.removeFirst(done) }
        while done < pending.count {
            let bytes = pending[done].bytes
            let count = bytes.withUnsafeBytes { transmit(socket, UnsafeRawBufferPointer(rebasing: $0[taken...])) }
            if count > 0 {
                taken += count
                if taken == bytes.count {
                    done += 1
                    taken = 0
                }
                continue
            }
            let code = errno
            if code == EINTR { continue }
            let left = pending[done...].reduce(-taken) { $0 + $1.bytes.count }
            if code == EAGAIN, left < Self.pendingBound { return }
            // What went out is the collector's; the rest, a message that went in part included, is lost.
            pending.removeFirst(done)
            done = 0
            return fail(code == EAGAIN ? "send: it takes less than there is" : "send: \(String(cString: strerror(code)))")
        }
    }

    /// What has come back meanwhile. Over UDP, that nobody listens (ICMP, as ECONNREFUSED): then the latest flows did not arrive. Over TCP,
    /// that the other end has closed: what is sent from now on would go nowhere.
    private func checkRefusal() {
        guard socket >= 0 else { return }
        if configuration.transport == .udp {
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code != 0 else { return }
            fail("send: \(String(cString: strerror(code)))")
        } else {
            var byte: UInt8 = 0
            let count = recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
            if count == 0 { return fail("the collector closed the connection") }
            if count < 0, errno != EAGAIN, errno != EINTR { fail("receive: \(String(cString: strerror(errno)))") }
        }
    }

    // MARK: The session

    /// Begins to connect, ahead of the first flows.
    func open(now: Timestamp) { _ = isConnected(now) }

    private func isConnected(_ now: Timestamp) -> Bool {
        if socket >= 0 { return true }
        if let attempt {
            guard let outcome = attempt.take() else { return false }
            self.attempt = nil
            switch outcome {
            case .connected(let fd): begin(fd)
            case .failed(let why): fail(why)
            }
            return socket >= 0
        }
        if let retryAt, now < retryAt { return false }
        retryAt = now + .seconds(5)
        attempt = ConnectionAttempt.start { [configuration, connect] in connect(configuration) }
        if attempt == nil { fail("connect: no thread can be started") }
        return false
    }

    private func begin(_ fd: Int32) {
        socket = fd
        problem = nil
        exporter.sessionStarted()
        log.info("collector connected", ["collector": LogValue(configuration.collector.description)])
    }

    private func remark(_ why: String) {
        if problem != why {
            log.warning("collector not reached", ["collector": LogValue(configuration.collector.description), "reason": LogValue(why)])
        }
        problem = why
    }

    private func fail(_ why: String) {
        remark(why)
        exporter.losses.add(inDoubt)
        endSession()
    }

    /// What waits or is not wholly sent is lost with the session.
    private func endSession() {
        for message in pending { exporter.losses.add(message.carried) }
        exporter.losses.add(ExportedAmount(waiting))
        (pending, taken, waiting, inDoubt) = ([], 0, [], ExportedAmount())
        if socket >= 0 { close(socket) }
        socket = -1
    }
}
