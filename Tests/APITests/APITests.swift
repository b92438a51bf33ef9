import Foundation
import Synchronization
import Testing

@testable import API

func temporarySocket() -> String { NSTemporaryDirectory() + "nilo-\(UUID().uuidString.prefix(8)).sock" }

/// Blocking calls of the client, off the pool of tasks.
func away<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
        thread.stackSize = 1 << 20
        thread.start()
    }
}

func get(_ path: String, _ url: String = "/x", timeout: Duration = .seconds(10)) async throws -> String {
    try await away { String(decoding: try ControlClient(socket: path).get(url, timeout: timeout), as: UTF8.self) }
}

func failure(_ path: String, _ url: String = "/x", timeout: Duration = .seconds(10)) async -> ControlClientError? {
    do {
        _ = try await get(path, url, timeout: timeout)
        return nil
    } catch { return error as? ControlClientError }
}

/// A raw connection, for what no client would send.
final class Raw: Sendable {
    let fd: Int32
    init(_ path: String) throws {
        fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let address = try #require(unixAddress(path))
        let fd = self.fd
        try #require(withSocketAddress(address) { connect(fd, $0, $1) } == 0)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    init(tcp port: UInt16) throws {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let fd = self.fd
        try #require(withSocketAddress(address) { connect(fd, $0, $1) } == 0)
    }
    deinit { close(fd) }
    @discardableResult func send(_ text: String) -> Int { send(Array(text.utf8)) }
    @discardableResult func send(_ bytes: [UInt8]) -> Int { Glibc.send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
    /// Something has come that was not read yet, or the other end has closed.
    var hasAnswer: Bool {
        var one = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return poll(&one, 1, 0) > 0
    }
    /// Until the other end closes; nil when it does not within five seconds.
    func readAll() -> String? {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(fd, &chunk, chunk.count, 0)
            if count > 0 {
                all += chunk[..<count]
            } else {
                return count == 0 || errno == ECONNRESET ? String(decoding: all, as: UTF8.self) : nil
            }
        }
    }
}

func echo(_ request: ControlRequest) -> ControlResponse {
    let query = request.query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
    let text = "\(request.method) \(request.path) \(query) \(request.body.count) \(request.readOnly) \(request.peer?.pid == getpid())"
    return ControlResponse(body: Array(text.utf8))
}

func server(
    _ path: String, readOnly: Bool = false, limits: ControlServer.Limits = .init(), _ handler: @escaping ControlServer.Handler = echo
) throws -> ControlServer {
    try ControlServer(.unix(path: path, group: nil, readOnly: readOnly), limits: limits, handler: handler)
}

@Suite struct ControlTests {
    @Test func requestsAndAnswers() async throws {
        let path = temporarySocket()
        let server = try server(path)
        #expect(try await get(path, "/flows") == "GET /flows  0 false true")
        let text = try await away {
            String(
                decoding: try ControlClient(socket: path).get("/a b/é", query: [("q", "host 10.0.0.1 & x=%"), ("n", "")]), as: UTF8.self)
        }
        #expect(text == "GET /a b/é n=&q=host 10.0.0.1 & x=% 0 false true")
        let posted = try await away {
            String(decoding: try ControlClient(socket: path).post("/p", body: [UInt8](repeating: 7, count: 65536)), as: UTF8.self)
        }
        #expect(posted == "POST /p  65536 false true")
        #expect(try await away { String(decoding: try ControlClient(socket: path).post("/p"), as: UTF8.self) } == "POST /p  0 false true")
        withExtendedLifetime(server) {}
    }

    @Test func theSocketIsGuardedAndGoesWithTheServer() throws {
        let path = temporarySocket()
        var status = stat()
        do {
            let server = try ControlServer(.unix(path: path, group: geteuid() == 0 ? "daemon" : nil), handler: echo)
            #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o660)
            if geteuid() == 0 { #expect(status.st_gid == getgrnam("daemon").pointee.gr_gid) }
            #expect(throws: ListenError.anotherInstance(path: path)) { try ControlServer(.unix(path: path, group: nil), handler: echo) }
            withExtendedLifetime(server) {}
        }
        #expect(stat(path, &status) != 0 && errno == ENOENT)
    }

    @Test func aDeadSocketIsReplacedAndAnythingElseIsNot() async throws {
        let path = temporarySocket()
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let address = try #require(unixAddress(path))
        try #require(withSocketAddress(address) { bind(fd, $0, $1) } == 0)
        close(fd)
        #expect(await failure(path) == .notRunning(socket: path))
        do {
            let server = try server(path)
            #expect(try await get(path).hasPrefix("GET /x"))
            withExtendedLifetime(server) {}
        }
        try "precious".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: ListenError.notASocket(path: path)) { try server(path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        unlink(path)
        #expect(throws: ListenError.unknownGroup("no-such-group")) {
            try ControlServer(.unix(path: path, group: "no-such-group"), handler: echo)
        }
        let long = "/tmp/" + String(repeating: "x", count: 120)
        #expect(throws: ListenError.badAddress(long)) { try server(long) }
    }

    /// Told as what it is, and not in libcurl's words.
    @Test(arguments: [("", false), ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", true)] as [(String, Bool)])
    func anAgentThatEndsMeanwhile(answer: String, inAnswer: Bool) async throws {
        let path = temporarySocket()
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer {
            close(listener)
            unlink(path)
        }
        let address = try #require(unixAddress(path))
        try #require(withSocketAddress(address) { bind(listener, $0, $1) } == 0 && listen(listener, 1) == 0)
        Thread {
            let connection = accept(listener, nil, nil)
            var request = [UInt8](repeating: 0, count: 4096)
            _ = read(connection, &request, request.count)
            _ = write(connection, answer, answer.utf8.count)
            close(connection)
        }.start()
        let failure = await failure(path)
        #expect(failure == .ended(inAnswer: inAnswer))
        #expect(
            failure?.description.hasPrefix("the agent ended during the request: ") == true && failure?.hint?.contains("nilo status") == true
        )
    }

    @Test func aFileThatTookThePathIsLeftAlone() throws {
        let path = temporarySocket()
        do {
            let server = try server(path)
            unlink(path)
            try "other".write(toFile: path, atomically: false, encoding: .utf8)
            withExtendedLifetime(server) {}
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "other")
        unlink(path)
    }

    @Test func failuresAreToldApart() async throws {
        let path = temporarySocket()
        #expect(await failure(path) == .notRunning(socket: path))
        #expect(await failure(path)?.exitCode == 4)
        let server = try server(path) { request in
            if request.path == "/slow" { usleep(700_000) }
            return .failure(409, "no \"such\" thing", hint: "try\nanother")
        }
        #expect(await failure(path) == .refused(status: 409, error: "no \"such\" thing", hint: "try\nanother"))
        let late = await failure(path, "/slow", timeout: .milliseconds(100))
        #expect(late == .timedOut(socket: path) && late?.exitCode == 4)
        withExtendedLifetime(server) {}
        #expect(ControlClientError.notPermitted(socket: path).exitCode == 3)
    }

    /// Root may connect to anything, so the client is a process of another user; curl's exit status 7 is "could not connect".
    @Test(.enabled(if: geteuid() == 0, "changes to another user")) func permissionDenied() async throws {
        let path = temporarySocket()
        let server = try server(path)
        let child = try await away { () -> Int32 in
            var pid: pid_t = 0
            let script = "exec setpriv --reuid 65534 --regid 65534 --clear-groups curl -s --unix-socket \(path) http://localhost/x"
            var argv: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(script), nil]
            defer { argv.forEach { free($0) } }
            guard posix_spawn(&pid, "/bin/sh", nil, nil, &argv, environ) == 0 else { return -1 }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            return status >> 8 & 0xff
        }
        #expect(child == 7, "the file's mode keeps others out")
        withExtendedLifetime(server) {}
    }

    @Test func aReadOnlyListenerOnlyAnswers() async throws {
        let path = temporarySocket()
        let server = try ControlServer(
            .unix(path: path, group: nil, readOnly: true), controlSocket: "/run/nilo/control.sock", handler: echo)
        #expect(try await get(path) == "GET /x  0 true true")
        let refusal = ControlClientError.refused(
            status: 403, error: "POST changes something, and this listener is for reading",
            hint: "ask over the control socket: /run/nilo/control.sock")
        await #expect(throws: refusal) { try await away { try ControlClient(socket: path).post("/x", body: [1]) } }
        #expect(refusal.exitCode == 3)
        for method in ["PUT", "DELETE", "PATCH", "BREW"] {
            let client = try Raw(path)
            client.send("\(method) /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try await away { client.readAll() }?.hasPrefix("HTTP/1.1 403 ") == true)
        }
        withExtendedLifetime(server) {}
    }

    /// Each field once; what a handler forbids has its methods in the header.
    @Test func queriesAndHeadersAreWhole() async throws {
        let path = temporarySocket()
        let server = try server(path) { request in
            #expect(request.repeated == ["a"] && request.query == ["a": "3", "b": ""])
            return .notAllowed("no", allowed: ["POST", "PUT"])
        }
        let client = try Raw(path)
        client.send("GET /x?a=1&b&a=3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let answer = try await away { client.readAll() } ?? ""
        #expect(answer.hasPrefix("HTTP/1.1 405 ") && answer.contains("\r\nAllow: POST, PUT\r\n") && answer.contains("{\"error\":\"no\"}"))
        withExtendedLifetime(server) {}
    }

    @Test func tcpIsReadOnlyAndHasNoPeer() async throws {
        let server = try ControlServer(.tcp(host: "127.0.0.1", port: 0), handler: echo)
        let client = try Raw(tcp: server.port)
        client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(try await away { client.readAll() }?.hasSuffix("\r\n\r\nGET /metrics  0 true false") == true)
        let poster = try Raw(tcp: server.port)
        poster.send("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        let refused = try await away { poster.readAll() } ?? ""
        #expect(refused.hasPrefix("HTTP/1.1 405 ") && refused.contains("\r\nAllow: GET, HEAD\r\n"))
        #expect(throws: ListenError.system(operation: "bind 127.0.0.1:\(server.port)", code: EADDRINUSE)) {
            try ControlServer(.tcp(host: "127.0.0.1", port: server.port), handler: echo)
        }
        #expect(throws: ListenError.badAddress("nowhere:1")) { try ControlServer(.tcp(host: "nowhere", port: 1), handler: echo) }
    }

    @Test func parallelRequests() async throws {
        let path = temporarySocket()
        let server = try server(path)
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<200 { group.addTask { try await get(path, "/\(index)") } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(answers == Set((0..<200).map { "GET /\($0)  0 false true" }))
        withExtendedLifetime(server) {}
    }
}

@Suite struct ControlStreamTests {
    @Test func linesComeAsTheyAreWrittenUntilTheReaderHasEnough() async throws {
        let path = temporarySocket()
        let ended = Mutex(false)
        let server = try server(path) { _ in
            ControlResponse { stream in
                Thread {
                    var n = 0
                    while stream.write(Array("line \(n)\n".utf8)) == .accepted {
                        n += 1
                        usleep(5000)
                    }
                    ended.withLock { $0 = true }
                }.start()
            }
        }
        let lines = try await away { () throws -> [String] in
            var lines: [String] = []
            try ControlClient(socket: path).lines("/follow") {
                lines.append($0)
                return lines.count < 20
            }
            return lines
        }
        #expect(lines == (0..<20).map { "line \($0)" })
        // The client is gone: the writer learns of it.
        for _ in 0..<200 where !ended.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(20)) }
        #expect(ended.withLock { $0 })
        withExtendedLifetime(server) {}
    }

    @Test func aFinishedStreamEndsAndALargeOneIsWhole() async throws {
        let path = temporarySocket()
        let big = [UInt8](repeating: UInt8(ascii: "x"), count: 3_000_000) + [10]
        let server = try server(path) { _ in
            ControlResponse { stream in
                Thread {
                    #expect(stream.write(big) == .accepted)
                    #expect(stream.write("last".utf8) == .accepted)
                    #expect(stream.write([UInt8](repeating: 0, count: ControlStream.capacity + 1)) == .dropped)
                    stream.finish()
                    #expect(stream.write("late".utf8) == .closed)
                }.start()
            }
        }
        let lines = try await away { () throws -> [Int] in
            var lines: [Int] = []
            try ControlClient(socket: path).lines("/x") {
                lines.append($0.utf8.count)
                return true
            }
            return lines
        }
        #expect(lines == [3_000_000, 4])
        withExtendedLifetime(server) {}
    }

    /// An idle stream is suspended, and libmicrohttpd aborts the process when it stops with one.
    @Test func theServerStopsWithIdleStreamsOpen() async throws {
        for _ in 0..<5 {
            let path = temporarySocket()
            let streams = Mutex<[ControlStream]>([])
            var server: ControlServer? = try server(path) { _ in ControlResponse { stream in streams.withLock { $0.append(stream) } } }
            var clients: [Raw] = []
            for _ in 0..<8 {
                let client = try Raw(path)
                client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                clients.append(client)
            }
            for _ in 0..<250 where streams.withLock({ $0.count }) < 8 { try await Task.sleep(for: .milliseconds(20)) }
            try #require(streams.withLock { $0.count } == 8)
            server = nil
            #expect(server == nil && streams.withLock { $0.allSatisfy { $0.isClosed && $0.write([1]) == .closed } })
        }
    }

    @Test func streamsAreBounded() async throws {
        let path = temporarySocket()
        var limits = ControlServer.Limits()
        limits.streams = 2
        let streams = Mutex<[ControlStream]>([])
        let server = try server(path, limits: limits) { _ in ControlResponse { stream in streams.withLock { $0.append(stream) } } }
        var clients: [Raw] = []
        for _ in 0..<2 {
            clients.append(try Raw(path))
            clients.last!.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        }
        for _ in 0..<250 where streams.withLock({ $0.count }) < 2 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(await failure(path) == .refused(status: 503, error: "too many clients follow already", hint: "end one of them"))
        withExtendedLifetime((server, clients)) {}
    }
}
