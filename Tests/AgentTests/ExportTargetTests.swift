import Configuration
import Flows
import Foundation
import IPFIX
import Logging
import NetworkTypes
import Synchronization
import Testing

@testable import Agent

/// What is delivered to a collector, what is not, and that neither it nor a name server can hold the agent up.
@Suite struct ExportTargetTests {
    private static let log = Log(level: .error, fd: open("/dev/null", O_WRONLY | O_CLOEXEC))
    private static let start = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

    private static func flows(_ count: Int) -> [ExportedFlow] {
        (0..<count).map { number in
            let tuple = FlowTuple(
                source: IPAddress("10.0.0.1"), destination: IPAddress("10.0.0.2"), sourcePort: UInt16(number % 60_000), destinationPort: 53,
                protocol: .udp, form: .ports, etherType: .ipv4)
            return ExportedFlow(
                key: FlowKey(outer: tuple, interface: InterfaceID(rawValue: 1), direction: .ingress), interfaceIndex: 2,
                delta: Totals(skbs: 1, skbBytes: 100, wirePackets: 1, wireBytes: 100), traits: FlowTraits(first: start, last: start),
                endReason: .idleTimeout)
        }
    }

    private static func configuration(_ transport: AgentConfiguration.Export.TransportProtocol, port: UInt16 = 4739)
        -> AgentConfiguration.Export
    {
        var export = AgentConfiguration.Export(collector: HostPort(host: "127.0.0.1", port: port))
        export.transport = transport
        return export
    }

    /// Turns a second apart until the target is connected.
    private static func connect(_ target: ExportTarget, _ second: inout Int) async throws {
        for _ in 0..<1000 {
            target.send([], now: start + .seconds(second))
            second += 1
            if target.report.messages > 0 { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("not connected: \(target.report)")
    }

    @Test func aDatagramThatIsNotTakenLosesItsOwnFlowsOnly() async throws {
        let sent = Mutex<[Int]>([])
        let refused = Mutex<Set<Int>>([])
        let number = Mutex(0)
        let target = ExportTarget(
            Self.configuration(.udp), domain: 1, log: Self.log,
            connect: { _ in .connected(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)) },
            transmit: { _, bytes in
                let which = number.withLock { number in
                    number += 1
                    return number
                }
                if refused.withLock({ $0.contains(which) }) {
                    errno = ENOBUFS
                    return -1
                }
                sent.withLock { $0.append(bytes.count) }
                return bytes.count
            })
        var second = 0
        try await Self.connect(target, &second)
        let before = target.report
        let first = number.withLock { $0 }
        refused.withLock { $0 = [first + 3] }
        target.send(Self.flows(100), now: Self.start + .seconds(second))
        let after = target.report
        let messages = Int(after.messages - before.messages)
        #expect(messages > 5 && number.withLock { $0 } == first + messages, "those that follow are sent all the same")
        #expect(after.notSent > 0 && after.notSent < 30 && after.problem?.hasPrefix("send: ") == true, "\(after)")
        // The next turn is whole.
        target.send(Self.flows(10), now: Self.start + .seconds(second + 1))
        #expect(target.report.notSent == after.notSent && target.report.problem == nil)
    }

    /// ECONNREFUSED tells of what went out before: the turn did not arrive.
    @Test func aRefusalLosesTheTurnAndNoMore() async throws {
        let refuses = Mutex(false)
        let number = Mutex(0)
        let target = ExportTarget(
            Self.configuration(.udp), domain: 1, log: Self.log,
            connect: { _ in .connected(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)) },
            transmit: { _, bytes in
                let isThird = number.withLock { number in
                    number += 1
                    return number % 3 == 0
                }
                guard refuses.withLock({ $0 }), isThird else { return bytes.count }
                errno = ECONNREFUSED
                return -1
            })
        var second = 0
        try await Self.connect(target, &second)
        target.send(Self.flows(50), now: Self.start + .seconds(second))
        #expect(target.report.notSent == 0)
        refuses.withLock { $0 = true }
        target.send(Self.flows(100), now: Self.start + .seconds(second + 1))
        #expect(target.report.notSent == 100 && target.report.problem == "send: Connection refused", "\(target.report)")
    }

    /// A collector that reads nothing and then goes: what the kernel had not taken is lost, and counted.
    @Test func whatTCPHadNotTakenIsLost() async throws {
        let listener = try TCPListener()
        let target = ExportTarget(Self.configuration(.tcp, port: listener.port), domain: 1, log: Self.log)
        var second = 0
        try await Self.connect(target, &second)
        let connection = try listener.accept()
        for _ in 0..<40 where target.pendingFlows == 0 {
            target.send(Self.flows(5000), now: Self.start + .seconds(second))
            second += 1
        }
        let pending = target.pendingFlows
        try #require(pending > 0 && target.report.notSent == 0 && target.report.problem == nil)
        // Not only closed: a process that another test starts just now may have inherited it.
        shutdown(connection, Int32(SHUT_RDWR))
        close(connection)
        _ = try await eventually { [target] in
            target.send([], now: Self.start + .seconds(second))
            return target.report.problem != nil
        }
        #expect(target.report.notSent == pending, "\(target.report)")
        // It comes back, and gets what is due from then on.
        second += 10
        for _ in 0..<1000 where target.report.problem != nil {
            target.send([], now: Self.start + .seconds(second))
            second += 1
            try await Task.sleep(for: .milliseconds(10))
        }
        let again = try listener.accept()
        target.send(Self.flows(7), now: Self.start + .seconds(second))
        #expect(target.report.notSent == pending && target.pendingFlows == 0)
        close(again)
    }

    /// Three seconds to connect: nobody waits for them, and what was due meanwhile arrives.
    @Test func connectingHoldsNothingUp() async throws {
        let sent = Mutex(0)
        let isThere = Mutex(false)
        let target = ExportTarget(
            Self.configuration(.udp), domain: 1, log: Self.log,
            connect: { _ in
                while !isThere.withLock({ $0 }) { usleep(5000) }
                return .connected(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
            },
            transmit: { _, bytes in
                sent.withLock { $0 += 1 }
                return bytes.count
            })
        let began = ContinuousClock.now
        for second in 0..<3 { target.send(Self.flows(10), now: Self.start + .seconds(second)) }
        #expect(ContinuousClock.now - began < .seconds(1))
        #expect(target.report.records == 0 && target.report.notSent == 0)
        isThere.withLock { $0 = true }
        target.finish(now: Self.start + .seconds(3))
        #expect(target.report.records == 30 && target.report.notSent == 0 && sent.withLock { $0 } > 0, "\(target.report)")
    }

    @Test func whoCannotBeReachedLosesWhatWasDue() async throws {
        let target = ExportTarget(Self.configuration(.udp), domain: 1, log: Self.log, connect: { _ in .failed("look up: no such name") })
        target.send(Self.flows(10), now: Self.start)
        for _ in 0..<1000 where target.report.problem == nil {
            target.send([], now: Self.start + .seconds(1))
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(target.report.notSent == 10 && target.report.problem == "look up: no such name")
        // Not tried again before its time: lost at once.
        target.send(Self.flows(5), now: Self.start + .seconds(2))
        #expect(target.report.notSent == 15)
    }

    @Test func namesAndRefusalsAreToldApart() {
        guard
            case .failed(let unknown) = ConnectionAttempt.connect(
                to: AgentConfiguration.Export(collector: HostPort(host: "collector.invalid", port: 4739)))
        else {
            Issue.record("a name that cannot be")
            return
        }
        #expect(unknown.hasPrefix("look up: "))
        var export = AgentConfiguration.Export(collector: HostPort(host: "127.0.0.1", port: 1))
        export.transport = .tcp
        guard case .failed("connect: Connection refused") = ConnectionAttempt.connect(to: export) else {
            Issue.record("nobody listens on port 1")
            return
        }
    }
}

/// Takes connections on a free port of loopback, with small buffers.
private struct TCPListener: ~Copyable {
    private let fd: Int32
    let port: UInt16

    init() throws {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var small: Int32 = 4096
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, 4)
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = fd
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, size) == 0 && listen(fd, 8) == 0 && getsockname(fd, $0, &size) == 0
            }
        }
        try #require(isBound)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(fd) }

    func accept() throws -> Int32 {
        let connection = Glibc.accept(fd, nil, nil)
        try #require(connection >= 0)
        return connection
    }
}

/// Within five seconds.
private func eventually(_ condition: () throws -> Bool) async throws -> Bool {
    for _ in 0..<500 {
        if try condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}
