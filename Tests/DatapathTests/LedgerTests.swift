import CLinux
import Datapath
import Flows
import Foundation
import Glibc
import NetworkTypes
import Synchronization
import TestSupport
import Testing

/// The books close, whatever happens: seen = flows in slots + retired + overflow, and all that is in flows is told once.
@Suite(.requires(.root)) struct LedgerTests {
    /// 64 slots and 32 log records per CPU.
    private static let tiny = TableGeometry(flows: 64, logRecordsPerCPU: 32, ledgers: 8, ghosts: 64)

    private static func frame(_ flow: Int) -> [UInt8] {
        Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: UInt16(1 + flow)), RawBytes(count: flow % 50)).bytes
    }

    private func expectClosed(_ bench: isolated ProgramBench, sourceLocation: SourceLocation = #_sourceLocation) -> Books {
        let books = bench.books(.ingress)
        #expect(books.seen == bench.resident(.ingress) + books.retired + books.overflowTotal, sourceLocation: sourceLocation)
        return books
    }

    @Test func withoutAReaderTheLogFillsAndTheRestIsOverflow() async throws {
        let bench = try ProgramBench(geometry: Self.tiny)
        try await bench.perform { bench in
            for flow in 0..<1000 { try bench.send(Self.frame(flow)) }
            let before = expectClosed(bench)
            #expect(before.seen.skbs == 1000 && before[.spilled] == 32 && before[.droppedClean] == 0)
            #expect(before[.logFull].skbs > 800 && before[.cpu].isZero)
            #expect(bench.resident(.ingress).skbs == 1000 - before[.logFull].skbs - 32)
            // The reader comes late and gets all that was kept; then there is room again.
            #expect(try bench.collect().spilled == 32)
            #expect(bench.told(.ingress) == before.seen - before.overflowTotal)
            for flow in 1000..<1050 { try bench.send(Self.frame(flow)) }
            let after = expectClosed(bench)
            #expect(after.overflowTotal == before.overflowTotal)
        }
    }

    /// Four times as many flows as slots, half of the packets in few of them.
    @Test(arguments: [1, 2] as [UInt64]) func withAReaderNothingIsLostUnderOverload(seed: UInt64) async throws {
        let bench = try ProgramBench(geometry: Self.tiny)
        try await bench.perform { bench in
            var random = SplitMix64(seed: seed)
            var expected: [UInt16: UInt64] = [:]
            for i in 0..<20_000 {
                let flow = random.once(in: 2) ? Int.random(in: 0..<8, using: &random) : Int.random(in: 0..<256, using: &random)
                try bench.send(Self.frame(flow))
                expected[UInt16(1 + flow), default: 0] += 1
                if i % 16 == 0 { try bench.collect() }
            }
            try bench.collect()
            let books = expectClosed(bench)
            #expect(books.seen.skbs == 20_000 && books.overflowTotal.isZero)
            #expect(bench.told(.ingress) == books.seen && bench.readerRetired(.ingress) == books.retired)
            #expect(Dictionary(uniqueKeysWithValues: bench.flows().map { ($0.key.outer.sourcePort, $0.totals.skbs) }) == expected)
        }
    }

    private final class Running: Sendable { let senders = Atomic<Int>(2) }

    /// Packets from two CPUs at once, read at the same time.
    /// - Parameter passes: after so many a new reader goes on, as if the agent had been killed; nil: one reader all the time.
    private func hammer(_ bench: ProgramBench, flows: Int, rounds: Int, repetitions: Int, restartingAfter passes: Int? = nil) async throws {
        let program = await bench.ingress
        let running = Running()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for cpu: Int32 in [0, 1] {
                group.addTask {
                    defer { running.senders.subtract(1, ordering: .releasing) }
                    try await onOwnThread {
                        guard lx_pin_to_cpu(cpu) == 0 else { throw SystemError("sched_setaffinity") }
                        let frames = (0..<flows).map(Self.frame)
                        for round in 0..<rounds { _ = try ProgramTestRun(program, frames[round % flows], repetitions: repetitions) }
                    }
                }
            }
            var pass = 0
            while running.senders.load(ordering: .acquiring) > 0 {
                _ = try await bench.collect()
                pass += 1
                if let passes, pass % passes == 0 { try await bench.restart() }
                await Task.yield()
            }
            try await group.waitForAll()
        }
        try await bench.collect()
    }

    @Test func twoCPUsOnOneFlow() async throws {
        try #require(sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1)
        let bench = try ProgramBench(cpu: nil)
        try await hammer(bench, flows: 1, rounds: 200, repetitions: 1000)
        await bench.perform { bench in
            let books = expectClosed(bench)
            #expect(books.seen == Totals(plain: 400_000, bytes: 400_000 * 42) && books.overflowTotal.isZero)
            #expect(bench.flows().map(\.totals) == [books.seen])
        }
    }

    /// Slots change their flows while they are being read: no stay may be told twice or forgotten.
    @Test(arguments: [1, 2, 3]) func twoCPUsOverloadATinyTable(run: Int) async throws {
        try #require(sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1)
        let bench = try ProgramBench(geometry: TableGeometry(flows: 16, logRecordsPerCPU: 16, ledgers: 8, ghosts: 64), cpu: nil)
        try await hammer(bench, flows: 300, rounds: 30_000, repetitions: 1 + run % 2)
        await bench.perform { bench in
            let books = expectClosed(bench)
            #expect(books.seen.skbs == UInt64(60_000 * (1 + run % 2)))
            #expect(bench.told(.ingress) == books.seen - books.overflowTotal)
            #expect(bench.readerRetired(.ingress) == books.retired)
        }
    }

    @Test func readersComeAndGoUnderOverload() async throws {
        try #require(sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1)
        let bench = try ProgramBench(geometry: TableGeometry(flows: 16, logRecordsPerCPU: 16, ledgers: 8, ghosts: 64), cpu: nil)
        try await hammer(bench, flows: 300, rounds: 30_000, repetitions: 1, restartingAfter: 20)
        await bench.perform { bench in
            let books = expectClosed(bench)
            #expect(books.seen.skbs == 60_000)
            #expect(bench.told(.ingress) + (books.retired - bench.readerRetired(.ingress)) == books.seen - books.overflowTotal)
        }
    }

    @Test func aNewReaderGoesOnWhereTheOldOneEnded() async throws {
        let bench = try ProgramBench(geometry: Self.tiny)
        try await bench.perform { bench in
            for flow in 0..<300 {
                try bench.send(Self.frame(flow), times: 1 + flow % 3)
                if flow % 20 == 0 { try bench.collect() }
            }
            // Dies with slots untold and records in the log.
            for flow in 300..<330 { try bench.send(Self.frame(flow)) }
            try bench.restart()
            for flow in 320..<400 {
                try bench.send(Self.frame(flow))
                if flow % 20 == 0 { try bench.collect() }
            }
            try bench.collect()
            let books = expectClosed(bench)
            #expect(books.overflowTotal.isZero && books.retired != bench.readerRetired(.ingress))
            #expect(bench.told(.ingress) + (books.retired - bench.readerRetired(.ingress)) == books.seen)
        }
    }

    /// What an agent that ends in order has exported is not due again, and what comes between the two agents is.
    @Test func handoverTellsWhatWasExported() async throws {
        let bench = try ProgramBench()
        let path = NSTemporaryDirectory() + "nilo-handover-\(UUID().uuidString)"
        try await bench.perform { bench in
            for flow in 0..<200 { try bench.send(Self.frame(flow), times: 3) }
            try bench.collect()
            try bench.reader.handOver(to: path)
            for flow in 150..<260 { try bench.send(Self.frame(flow)) }
            try bench.restart(handover: path)
            try bench.collect()
            #expect(bench.unexported().skbs == 110)
            #expect(bench.told(.ingress).skbs == 710)
            // It was true once.
            #expect(access(path, F_OK) != 0)
            for flow in 0..<7 { try bench.send(Self.frame(flow)) }
            try bench.collect()
            #expect(bench.unexported().skbs == 117)
            // After a crash there is no word, and all of it is due.
            try bench.restart(handover: path)
            try bench.collect()
            #expect(bench.unexported().skbs == 717)
            // What is no handover is none.
            try Data(repeating: 7, count: 41).write(to: URL(fileURLWithPath: path))
            try bench.restart(handover: path)
            try bench.collect()
            #expect(bench.unexported().skbs == 717)
        }
    }

    @Test func unknownInterfacesHaveBooksOfTheirOwn() async throws {
        let bench = try ProgramBench()
        try await bench.perform { bench in
            try bench.send(Self.frame(1))
            try bench.program.clearPort(ifindex: 1)
            try bench.send(Self.frame(1), times: 5)
            try bench.collect()
            #expect(bench.books(.ingress).seen.skbs == 1)
            #expect(bench.unknownBooks(.ingress).seen.skbs == 5)
            #expect(bench.flows().map(\.totals.skbs) == [1])
        }
    }

    @Test(.requires(.clsact), arguments: AttachMode.both) func anInterfaceVanishesUnderTraffic(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode)
        let sender = Task { [pair = counted.pair] in
            // Ends with the interface: the kernel then has no route to the other host.
            try? await pair.a.sendUDP(10_000_000, size: 10, to: Pair.addressB, port: 9)
        }
        #expect(try await eventually(within: .seconds(30)) { try await counted.probe.books(counted.b, .ingress).seen.skbs > 1000 })
        try await counted.pair.b.sh("ip link del vb")
        await sender.value
        for (id, direction) in counted.points {
            let account = try await counted.probe.account(id, direction)
            #expect(account.closes && account.isTold, "\(account)")
        }
        try await counted.probe.vanished(counted.a)
        try await counted.probe.vanished(counted.b)
        // Closed, not forgotten.
        let account = try await counted.probe.account(counted.b, .ingress)
        #expect(account.closes && account.books.seen.skbs > 1000 && account.told == account.books.seen - account.books.overflowTotal)
    }
}
