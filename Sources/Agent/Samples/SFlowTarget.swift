import Configuration
import Datapath
import Glibc
import Logging
import NetworkTypes
import Reports
import SFlow

/// One sFlow collector: its socket, its exporter, and what could not be delivered. Never blocks; samples do not wait for a connection.
final class SFlowTarget {
    typealias Connect = @Sendable (AgentConfiguration.SFlow) -> ConnectionAttempt.Outcome

    let configuration: AgentConfiguration.SFlow
    private let log: Log
    private let connect: Connect
    private let startedAt = ContinuousClock.now
    private var exporter: SFlowExporter?
    private var socket: Int32 = -1
    private var attempt: ConnectionAttempt?
    private var retryAt: ContinuousClock.Instant?
    private var countersAt = ContinuousClock.now
    private var problem: String?
    /// The collector's host has refused datagrams; a new socket alone proves nothing.
    private var isRefused = false
    private var sentAt: ContinuousClock.Instant?
    /// A refusal comes back within this time, or not at all.
    private static let proof = Duration.seconds(1)
    private var samplesSent: UInt64 = 0
    private var datagramsSent: UInt64 = 0
    private var samplesNotSent: UInt64 = 0
    /// What the latest datagrams carried: that nobody takes them is told a moment later, or never.
    private var inDoubt: (samples: UInt64, datagrams: UInt64) = (0, 0)

    init(
        _ configuration: AgentConfiguration.SFlow, log: Log,
        connect: @escaping Connect = { ConnectionAttempt.connect(to: $0.collector, SOCK_DGRAM) }
    ) {
        self.configuration = configuration
        self.log = log
        self.connect = connect
    }

    deinit {
        attempt?.abandon()
        if socket >= 0 { close(socket) }
    }

    var report: StatusReport.Export {
        .init(
            target: "sflow udp \(configuration.collector)", records: samplesSent, messages: datagramsSent, notSent: samplesNotSent,
            problem: problem)
    }

    func wants(_ interface: String) -> Bool {
        configuration.interfaces.isEmpty || configuration.interfaces.contains { $0.matches(interface) }
    }

    // MARK: Samples

    func add(_ sample: FlowSample, header: UnsafeRawBufferPointer) {
        guard socket >= 0 else {
            samplesNotSent += UInt64(sample.hits)
            return
        }
        exporter?.append(sample, header: header, uptime: startedAt.duration(to: .now))
    }

    /// Are counters due? Asked again only after the interval.
    func takesCounters(now: ContinuousClock.Instant) -> Bool {
        guard socket >= 0, now >= countersAt else { return false }
        countersAt = max(countersAt + configuration.counterInterval, now)
        return true
    }

    func add(_ counters: InterfaceCounterSample) { exporter?.append(counters, uptime: startedAt.duration(to: .now)) }

    /// Sends what was added.
    /// - Parameter onlyFull: the last datagram may wait for more.
    func flush(onlyFull: Bool = false) {
        guard socket >= 0, let datagrams = onlyFull ? exporter?.takeFullDatagrams() : exporter?.takeDatagrams(), !datagrams.isEmpty else {
            return
        }
        let doubt = inDoubt
        inDoubt = (0, 0)
        var failure: String?
        for (index, datagram) in datagrams.enumerated() {
            if send(socket, datagram, datagram.count, Int32(MSG_NOSIGNAL)) == datagram.count {
                samplesSent += samples(in: datagram)
                datagramsSent += 1
                inDoubt = (inDoubt.samples + samples(in: datagram), inDoubt.datagrams + 1)
                sentAt = sentAt ?? .now
                continue
            }
            let code = errno
            guard code != ECONNREFUSED else {
                // It tells of those before.
                if index == 0 { inDoubt = doubt }
                samplesNotSent += datagrams[index...].reduce(0) { $0 + samples(in: $1) }
                return fail("send: \(String(cString: strerror(code)))")
            }
            samplesNotSent += samples(in: datagram)
            failure = "send: \(String(cString: strerror(code)))"
        }
        if let failure { remark(failure) } else if !isRefused { problem = nil }
    }

    /// The count stands behind version, address, sub-agent, sequence and uptime.
    private func samples(in datagram: [UInt8]) -> UInt64 {
        let at = datagram[7] == 1 ? 24 : 36
        return datagram[at..<at + 4].reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: The session

    /// Connects, or looks what became of that; notices that nobody listens. Once a second.
    func turn(now: ContinuousClock.Instant) {
        if socket >= 0 {
            checkRefusal()
            if isRefused, socket >= 0, let sentAt, now - sentAt >= Self.proof { (isRefused, problem) = (false, nil) }
            return
        }
        if let attempt {
            guard let outcome = attempt.take() else { return }
            self.attempt = nil
            switch outcome {
            case .connected(let descriptor): begin(descriptor)
            case .failed(let why): remark(why)
            }
            return
        }
        if let retryAt, now < retryAt { return }
        retryAt = now + .seconds(5)
        attempt = ConnectionAttempt.start { [configuration, connect] in connect(configuration) }
        if attempt == nil { remark("connect: no thread can be started") }
    }

    private func begin(_ descriptor: Int32) {
        guard let agent = configuration.agent ?? Self.ownAddress(descriptor) else {
            close(descriptor)
            return remark("the address that datagrams leave from is not known: name one as agent")
        }
        socket = descriptor
        sentAt = nil
        if !isRefused { problem = nil }
        inDoubt = (0, 0)
        if exporter?.configuration.agent != agent {
            var options = SFlowExporter.Configuration(agent: agent)
            options.headerBytes = configuration.headerBytes
            exporter = SFlowExporter(options)
        }
        log.info(
            "sFlow collector connected",
            ["collector": LogValue(configuration.collector.description), "agent": LogValue("\(agent)")])
    }

    private func checkRefusal() {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code != 0 else { return }
        fail("send: \(String(cString: strerror(code)))")
    }

    private func fail(_ why: String) {
        remark(why)
        isRefused = true
        samplesNotSent += inDoubt.samples
        samplesSent -= min(samplesSent, inDoubt.samples)
        datagramsSent -= min(datagramsSent, inDoubt.datagrams)
        inDoubt = (0, 0)
        close(socket)
        socket = -1
    }

    private func remark(_ why: String) {
        if problem != why {
            log.warning(
                "sFlow collector not reached", ["collector": LogValue(configuration.collector.description), "reason": LogValue(why)])
        }
        problem = why
    }

    private static func ownAddress(_ descriptor: Int32) -> IPAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard result == 0 else { return nil }
        return withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET: .v4(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            case AF_INET6:
                .v6(
                    high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)))
            default: nil
            }
        }
    }
}
