import CMicrohttpd
import Glibc
import Synchronization

/// What libmicrohttpd keeps for us from a request's first line to its end.
final class PartialRequest {
    var body: [UInt8] = []
    /// Once the request is whole and its answer takes a while.
    var awaited: AwaitedAnswer?
}

/// What one listener knows: its connections and their deadlines, its streams, its handler.
final class Session: Sendable {
    private enum Phase { case reading, working, responding, streaming }

    private struct Connection {
        /// Who connected; nil over TCP.
        let uid: UInt32?
        var phase = Phase.reading
        /// When the phase began.
        var since: ContinuousClock.Instant
        /// Of an answer, bytes that were taken.
        var taken = 0
        /// Shut down by us: the daemon has not closed it yet.
        var isLeaving = false
    }

    private struct State {
        var connections: [Int32: Connection] = [:]
        var streams: [ObjectIdentifier: ControlStream] = [:]
        var awaited: [ObjectIdentifier: AwaitedAnswer] = [:]
        var largeAnswers = 0
        var stopping = false
    }

    private let limits: ControlServer.Limits
    private let readOnly: Bool
    /// Of a listener that is read only: the socket that takes changes.
    private let controlSocket: String?
    private let handler: ControlServer.Handler
    private let answers = AnswerQueue()
    private let state = Mutex(State())

    init(limits: ControlServer.Limits, readOnly: Bool, controlSocket: String?, handler: @escaping ControlServer.Handler) {
        self.limits = limits
        self.readOnly = readOnly
        self.controlSocket = controlSocket
        self.handler = handler
    }

    static func from(_ context: UnsafeMutableRawPointer?) -> Session { Unmanaged<Session>.fromOpaque(context!).takeUnretainedValue() }

    // MARK: connections

    /// A new connection takes its place; those over their time, and of clients that have left, lose theirs. When all are taken one goes: of
    /// the user who has the most, and of what most of those do (send a request, wait for an answer, take it), the one that has done so the
    /// longest. So nobody keeps others out, and who has just come is heard.
    /// libmicrohttpd's own timeout counts silence only, and a byte every second is not silent.
    func opened(_ fd: Int32) {
        let now = ContinuousClock.now
        let uid = peer(fd)?.uid
        state.withLock { state in
            for (other, connection) in state.connections where isLate(connection, now) { Self.end(other, &state) }
            state.connections[fd] = Connection(uid: uid, since: now)
            for answer in state.awaited.values { _ = answer.isWanted() }
            let there = state.connections.filter { !$0.value.isLeaving }
            guard there.count > limits.connections else { return }
            var perUser: [UInt32?: Int] = [:]
            for connection in there.values { perUser[connection.uid, default: 0] += 1 }
            let most = perUser.values.max() ?? 0
            let theirs = there.filter { perUser[$0.value.uid] == most && $0.value.phase != .streaming }
            let common = Dictionary(grouping: theirs, by: \.value.phase).values.max { $0.count < $1.count }
            Self.end(common?.min { $0.value.since < $1.value.since }?.key ?? fd, &state)
        }
    }

    /// The daemon finds the end of file and closes: its bookkeeping and ours stay right.
    private static func end(_ fd: Int32, _ state: inout State) {
        state.connections[fd]?.isLeaving = true
        shutdown(fd, Int32(SHUT_RDWR))
    }

    private func isLate(_ connection: Connection, _ now: ContinuousClock.Instant) -> Bool {
        switch connection.phase {
        case .reading: now - connection.since > limits.requestTime
        case .responding: now - connection.since > limits.responseTime + .seconds(connection.taken >> 20)
        case .working, .streaming: false
        }
    }

    /// A piece of an answer went out.
    func took(_ bytes: Int, _ fd: Int32) { state.withLock { $0.connections[fd]?.taken += bytes } }

    func closed(_ fd: Int32) { state.withLock { _ = $0.connections.removeValue(forKey: fd) } }

    func completed(_ fd: Int32) { enter(.reading, fd) }

    private func enter(_ phase: Phase, _ fd: Int32) {
        state.withLock { state in
            state.connections[fd]?.phase = phase
            state.connections[fd]?.since = .now
            state.connections[fd]?.taken = 0
        }
    }

    // MARK: requests

    /// Called once with the headers, then for each piece of the body, then once more at the end.
    func access(
        _ connection: OpaquePointer, url: UnsafePointer<CChar>, method: UnsafePointer<CChar>, upload: UnsafePointer<CChar>?,
        uploadSize: UnsafeMutablePointer<Int>, state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> MHD_Result {
        guard let pointer = state.pointee else {
            let partial = PartialRequest()
            state.pointee = Unmanaged.passRetained(partial).toOpaque()
            // Said in advance: refused before it is sent. A chunked one is found out below.
            if let length = MHD_lookup_connection_value(connection, .HEADER_KIND, "Content-Length"),
                strtoull(length, nil, 10) > limits.bodyBytes
            {
                return send(.failure(413, "the request is larger than \(limits.bodyBytes) bytes"), connection)
            }
            return .YES
        }
        let partial = Unmanaged<PartialRequest>.fromOpaque(pointer).takeUnretainedValue()
        if let awaited = partial.awaited {
            guard let response = awaited.take() else { return .YES }
            partial.awaited = nil
            self.state.withLock { _ = $0.awaited.removeValue(forKey: ObjectIdentifier(awaited)) }
            return send(response, connection)
        }
        if uploadSize.pointee > 0 {
            guard partial.body.count + uploadSize.pointee <= limits.bodyBytes else { return .NO }
            partial.body.append(contentsOf: UnsafeRawBufferPointer(start: upload, count: uploadSize.pointee))
            uploadSize.pointee = 0
            return .YES
        }
        let method = String(cString: method)
        if readOnly, !Self.safeMethods.contains(method) { return send(refusal(of: method), connection) }
        let values = query(connection)
        let request = ControlRequest(
            method: method, path: String(cString: url), query: values.last, repeated: values.repeated, body: partial.body,
            readOnly: readOnly, peer: peer(MHD_connection_socket(connection)), host: header("Host", connection),
            authorization: header("Authorization", connection))
        let response = handler(request)
        guard case .later(let make) = response.body else { return send(response, connection) }
        return wait(for: make, partial, connection)
    }

    /// The connection sleeps until its answer has been made.
    private func wait(for make: @escaping @Sendable () -> ControlResponse, _ partial: PartialRequest, _ connection: OpaquePointer)
        -> MHD_Result
    {
        let ending = ControlResponse.failure(503, "the server is ending")
        enter(.working, MHD_connection_socket(connection))
        let awaited = AwaitedAnswer(for: connection)
        partial.awaited = awaited
        let isStopping = state.withLock { state in
            state.awaited[ObjectIdentifier(awaited)] = awaited
            return state.stopping
        }
        if isStopping || !answers.add({ if awaited.isWanted() { awaited.put(make()) } }) { awaited.put(ending) }
        return .YES
    }

    /// Methods that ask for no change (RFC 9110, 9.2.1).
    private static let safeMethods: Set<String> = ["GET", "HEAD", "OPTIONS", "TRACE"]

    private func refusal(of method: String) -> ControlResponse {
        let error = "\(method) changes something, and this listener is for reading"
        guard let controlSocket else { return .notAllowed(error, allowed: ["GET", "HEAD"]) }
        return .failure(403, error, hint: "ask over the control socket: \(controlSocket)")
    }

    private func header(_ name: String, _ connection: OpaquePointer) -> String? {
        MHD_lookup_connection_value(connection, .HEADER_KIND, name).map { String(cString: $0) }
    }

    private struct QueryValues {
        var last: [String: String] = [:]
        var repeated: Set<String> = []
    }

    private func query(_ connection: OpaquePointer) -> QueryValues {
        var values = QueryValues()
        withUnsafeMutablePointer(to: &values) { target in
            _ = MHD_get_connection_values_n(
                connection, .GET_ARGUMENT_KIND,
                { @Sendable context, _, name, nameSize, value, valueSize in
                    func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
                        String(decoding: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count), as: UTF8.self)
                    }
                    let values = context!.assumingMemoryBound(to: QueryValues.self)
                    let name = text(name, nameSize)
                    if values.pointee.last.updateValue(text(value, valueSize), forKey: name) != nil { values.pointee.repeated.insert(name) }
                    return .YES
                }, target)
        }
        return values
    }

    private func peer(_ fd: Int32) -> ControlRequest.Peer? {
        // struct ucred (unix(7)) is hidden behind _GNU_SOURCE: pid, uid, gid.
        var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0, credentials.pid > 0 else { return nil }
        return .init(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }

    private func send(_ response: ControlResponse, _ connection: OpaquePointer) -> MHD_Result {
        let fd = MHD_connection_socket(connection)
        switch response.body {
        case .bytes(let bytes):
            let made = bytes.withUnsafeBytes {
                MHD_create_response_from_buffer($0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
            }
            guard let made else { return .NO }
            enter(.responding, fd)
            return queue(made, response, connection)
        case .pieces(let next): return send(next, response, connection)
        // Has waited already: nothing that is made later is to be made later still.
        case .later(let make): return send(make(), connection)
        case .stream(let start):
            let stream = ControlStream(connection: connection)
            let admitted = state.withLock { state in
                guard !state.stopping, state.streams.count < limits.streams else { return false }
                state.streams[ObjectIdentifier(stream)] = stream
                return true
            }
            guard admitted else { return send(.failure(503, "too many clients follow already", hint: "end one of them"), connection) }
            let context = Unmanaged.passRetained(StreamContext(stream: stream, session: self)).toOpaque()
            guard let made = MHD_create_response_from_callback(UInt64.max, 65536, readStream, context, freeStream) else {
                freeStream(context)
                return .NO
            }
            enter(.streaming, fd)
            // A follower that has nothing to hear for a while is not gone.
            _ = MHD_connection_timeout(connection, 0)
            start(stream)
            return queue(made, response, connection)
        }
    }

    /// What fits one piece goes as a whole, with its length.
    private func send(_ next: @escaping ControlResponse.Pieces, _ response: ControlResponse, _ connection: OpaquePointer) -> MHD_Result {
        var made: [[UInt8]] = []
        do {
            while made.count < 2, let piece = try next() { made.append(piece) }
        } catch { return send(.failure(500, "the answer cannot be made: \(error)"), connection) }
        guard made.count == 2 else {
            var whole = response
            whole.body = .bytes(made.first ?? [])
            return send(whole, connection)
        }
        let admitted = state.withLock { state in
            guard state.largeAnswers < limits.largeAnswers else { return false }
            state.largeAnswers += 1
            return true
        }
        guard admitted else {
            return send(.failure(503, "others are being sent large answers", hint: "ask for less, or again in a while"), connection)
        }
        let fd = MHD_connection_socket(connection)
        let context = Unmanaged.passRetained(LargeAnswer(made, then: next, to: fd, of: self)).toOpaque()
        guard let sent = MHD_create_response_from_callback(UInt64.max, 65536, readAnswer, context, freeAnswer) else {
            freeAnswer(context)
            return .NO
        }
        enter(.responding, fd)
        return queue(sent, response, connection)
    }

    fileprivate func largeAnswerEnded() { state.withLock { $0.largeAnswers -= 1 } }

    private func queue(_ made: OpaquePointer, _ response: ControlResponse, _ connection: OpaquePointer) -> MHD_Result {
        defer { MHD_destroy_response(made) }
        for (name, value) in [("Content-Type", response.contentType)] + response.headers {
            guard MHD_add_response_header(made, name, value) == .YES else { return .NO }
        }
        return MHD_queue_response(connection, response.status, made)
    }

    // MARK: streams

    func ended(_ stream: ControlStream) { state.withLock { _ = $0.streams.removeValue(forKey: ObjectIdentifier(stream)) } }

    /// Wakes what sleeps: libmicrohttpd does not stop with suspended connections. Answers that are being made are not waited for.
    func stop() {
        let (streams, awaited) = state.withLock { state in
            state.stopping = true
            return (Array(state.streams.values), Array(state.awaited.values))
        }
        for stream in streams { stream.abandon() }
        for answer in awaited { answer.put(.failure(503, "the server is ending")) }
    }
}

/// What libmicrohttpd holds for a response that is a stream.
private final class StreamContext {
    let stream: ControlStream
    let session: Session

    init(stream: ControlStream, session: Session) {
        self.stream = stream
        self.session = session
    }
}

private let readStream: MHD_ContentReaderCallback = { @Sendable context, _, target, count in
    Unmanaged<StreamContext>.fromOpaque(context!).takeUnretainedValue().stream.read(into: target!, count: count)
}

private let freeStream: @convention(c) (UnsafeMutableRawPointer?) -> Void = { @Sendable context in
    let context = Unmanaged<StreamContext>.fromOpaque(context!).takeRetainedValue()
    context.stream.release()
    context.session.ended(context.stream)
}

private let readAnswer: MHD_ContentReaderCallback = { @Sendable context, _, target, count in
    Unmanaged<LargeAnswer>.fromOpaque(context!).takeUnretainedValue().read(into: target!, count: count)
}

private let freeAnswer: @convention(c) (UnsafeMutableRawPointer?) -> Void = { @Sendable context in
    Unmanaged<LargeAnswer>.fromOpaque(context!).takeRetainedValue().session.largeAnswerEnded()
}
