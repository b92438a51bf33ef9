import Dispatch
import Synchronization
import Testing

@testable import API

/// Answers that take a while are made beside the listener's thread.
@Suite struct AwaitedAnswerTests {
    /// Ends the waiting of answers; whoever comes later does not wait.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        let waiting = Mutex(0)

        func pass() {
            waiting.withLock { $0 += 1 }
            semaphore.wait()
            semaphore.signal()
        }

        func open() { semaphore.signal() }
    }

    private static func server(_ path: String, _ gate: Gate) throws -> ControlServer {
        try APITests.server(path) { request in
            guard request.path.hasPrefix("/slow") else { return echo(request) }
            return ControlResponse(later: {
                gate.pass()
                return echo(request)
            })
        }
    }

    private func wait(_ condition: () -> Bool) async throws {
        for _ in 0..<500 where !condition() { try await Task.sleep(for: .milliseconds(10)) }
        try #require(condition())
    }

    /// As many as there is room for wait, and others are served; then each gets its own.
    @Test func othersAreServedMeanwhile() async throws {
        let (path, gate) = (temporarySocket(), Gate())
        let server = try Self.server(path, gate)
        try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<20 { group.addTask { try await get(path, "/slow\(index)") } }
            try await wait { gate.waiting.withLock { $0 } == AnswerQueue.width }
            for index in 0..<50 { #expect(try await get(path, "/\(index)", timeout: .seconds(10)) == "GET /\(index)  0 false true") }
            #expect(gate.waiting.withLock { $0 } == AnswerQueue.width)
            gate.open()
            let answers = try await group.reduce(into: Set<String>()) { $0.insert($1) }
            #expect(answers == Set((0..<20).map { "GET /slow\($0)  0 false true" }))
        }
        withExtendedLifetime(server) {}
    }

    /// On one connection answers come in the order of their requests, slow and quick ones mixed.
    @Test func oneConnectionKeepsItsOrder() async throws {
        let (path, gate) = (temporarySocket(), Gate())
        let server = try Self.server(path, gate)
        gate.open()
        let client = try Raw(path)
        let paths = (0..<30).map { $0 % 3 == 0 ? "/\($0)" : "/slow\($0)" }
        let last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined() + last)
        let text = try await away { client.readAll() }
        let told = try #require(text).split(separator: "\r\n").filter { $0.contains("GET /") }.compactMap {
            $0.split(separator: " ").dropFirst().first
        }
        #expect(told.map(String.init) == paths + ["/last"])
        withExtendedLifetime(server) {}
    }

    /// Neither a client that goes nor the end of the server waits for an answer that is being made.
    @Test func nobodyWaitsForTheLost() async throws {
        for _ in 0..<5 {
            let (path, gate) = (temporarySocket(), Gate())
            var server: ControlServer? = try Self.server(path, gate)
            do {
                let gone = try Raw(path)
                gone.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                try await wait { gate.waiting.withLock { $0 } == 1 }
            }
            let waiting = try Raw(path)
            waiting.send("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            try await wait { gate.waiting.withLock { $0 } == 2 }
            #expect(try await get(path, "/quick").hasPrefix("GET /quick"))
            server = nil
            #expect(server == nil && waiting.readAll()?.contains(" 200 ") != true)
            gate.open()
        }
    }

    /// Whoever leaves leaves the queue and his place, whatever is being made meanwhile; more than there are places for keep nobody out.
    @Test func whoLeavesLeavesTheQueue() async throws {
        let (path, gate) = (temporarySocket(), Gate())
        let server = try Self.server(path, gate)
        func ask(_ count: Int) throws -> [Raw] {
            try (0..<count).map { _ in
                let client = try Raw(path)
                client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                return client
            }
        }
        func askAndLeave() async throws {
            let clients = try ask(200)
            try await wait { gate.waiting.withLock { $0 } >= AnswerQueue.width }
            #expect(try await get(path, "/quick", timeout: .seconds(10)).hasPrefix("GET /quick"))
            withExtendedLifetime(clients) {}
        }
        for _ in 0..<2 {
            try await askAndLeave()
            #expect(try await get(path, "/left", timeout: .seconds(10)).hasPrefix("GET /left"))
        }
        let patient = try ask(300)
        #expect(try await get(path, "/still", timeout: .seconds(10)).hasPrefix("GET /still"))
        gate.open()
        try await wait { patient[299].hasAnswer }
        // Of the first four hundred only those were made that nobody could stop.
        #expect(gate.waiting.withLock { $0 } <= 300 + AnswerQueue.width)
        withExtendedLifetime((server, patient)) {}
    }
}
