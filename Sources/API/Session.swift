import CMicrohttpd
import Glibc
import Synchronization

/// What libmicrohttpd keeps for us from a request's first line to its end.
final class PartialRequest {
    var body: [UInt8] = []
}

/// What one listener knows: its connections and their deadlines, its streams, its handler.
final class Session: Sendable {
    private enum Phase { case reading, responding, streaming }

    private struct Connection {
        var phase: Phase
        /// When the phase began.
        var since: ContinuousClock.Instant
    }

    private struct State {
        var connections: [Int32: Connection] = [:]
        var streams: [ObjectIdentifier: ControlStream] = [:]
        var stopping = false
    }

    private let limits: ControlServer.Limits
    private let readOnly: Bool
    private let handler: ControlServer.Handler
    private let state = Mutex(State())

    init(limits: ControlServer.Limits, readOnly: Bool, handler: @escaping ControlServer.Handler) {
        self.limits = limits
        self.readOnly = readOnly
        self.handler = handler
    }

    static func from(_ context: UnsafeMutableRawPointer?) -> Session { Unmanaged<Session>.fromOpaque(context!).takeUnretainedValue() }

    // MARK: connections

    /// A new connection takes its place; those over their time lose theirs. When all are taken the one longest in its phase makes room,
    /// if it
    /// had a second; else the new one goes. libmicrohttpd's own timeout counts silence only, and a byte every second is not silent.
    func opened(_ fd: Int32) {
        let now = ContinuousClock.now
        state.withLock { state in
            for (other, connection) in state.connections where isLate(connection, now) { shutdown(other, Int32(SHUT_RDWR)) }
            state.connections[fd] = Connection(phase: .reading, since: now)
            guard state.connections.count > limits.connections else { return }
            let oldest = state.connections.filter { $0.value.phase != .streaming }.min { $0.value.since < $1.value.since }
            let victim = oldest.flatMap { now - $0.value.since > .seconds(1) ? $0.key : nil } ?? fd
            // The daemon finds the end of file and closes: its bookkeeping and ours stay right.
            shutdown(victim, Int32(SHUT_RDWR))
        }
    }

    private func isLate(_ connection: Connection, _ now: ContinuousClock.Instant) -> Bool {
        switch connection.phase {
        case .reading: now - connection.since > limits.requestTime
        case .responding: now - connection.since > limits.responseTime
        case .streaming: false
        }
    }

    func closed(_ fd: Int32) { state.withLock { _ = $0.connections.removeValue(forKey: fd) } }

    func completed(_ fd: Int32) { enter(.reading, fd) }

    private func enter(_ phase: Phase, _ fd: Int32) {
        state.withLock { state in
            guard state.connections[fd] != nil else { return }
            state.connections[fd] = Connection(phase: phase, since: .now)
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
        if uploadSize.pointee > 0 {
            guard partial.body.count + uploadSize.pointee <= limits.bodyBytes else { return .NO }
            partial.body.append(contentsOf: UnsafeRawBufferPointer(start: upload, count: uploadSize.pointee))
            uploadSize.pointee = 0
            return .YES
        }
        let method = String(cString: method)
        let allowed = readOnly ? ["GET", "HEAD"] : ["GET", "HEAD", "POST"]
        guard allowed.contains(method) else {
            return send(.failure(405, readOnly ? "this listener only answers GET" : "\(method) is not known here"), connection)
        }
        let request = ControlRequest(
            method: method, path: String(cString: url), query: query(connection), body: partial.body, readOnly: readOnly,
            peer: peer(MHD_connection_socket(connection)))
        return send(handler(request), connection)
    }

    private func query(_ connection: OpaquePointer) -> [String: String] {
        var values: [String: String] = [:]
        withUnsafeMutablePointer(to: &values) { target in
            _ = MHD_get_connection_values_n(
                connection, .GET_ARGUMENT_KIND,
                { @Sendable context, _, name, nameSize, value, valueSize in
                    func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
                        String(decoding: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count), as: UTF8.self)
                    }
                    context!.assumingMemoryBound(to: [String: String].self).pointee[text(name, nameSize)] = text(value, valueSize)
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

    private func queue(_ made: OpaquePointer, _ response: ControlResponse, _ connection: OpaquePointer) -> MHD_Result {
        defer { MHD_destroy_response(made) }
        guard MHD_add_response_header(made, "Content-Type", response.contentType) == .YES else { return .NO }
        return MHD_queue_response(connection, response.status, made)
    }

    // MARK: streams

    func ended(_ stream: ControlStream) { state.withLock { _ = $0.streams.removeValue(forKey: ObjectIdentifier(stream)) } }

    func stopStreams() {
        let streams = state.withLock { state in
            state.stopping = true
            return Array(state.streams.values)
        }
        for stream in streams { stream.abandon() }
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
