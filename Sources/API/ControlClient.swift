import CCurl
import FoundationEssentials
import Glibc

/// Why a request to the agent failed, decided by codes.
public enum ControlClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No socket, or nobody listens on it.
    case notRunning(socket: String)
    case notPermitted(socket: String)
    case timedOut(socket: String)
    /// The agent answered that it will not: an HTTP status from 400 and its words.
    case refused(status: Int, error: String, hint: String?)
    /// The agent closed the connection before it had answered, or in the middle of that: what came until then is lost.
    case ended(inAnswer: Bool)
    /// More than the client takes.
    case tooLarge(bytes: Int)
    /// The connection broke, or what answers is no agent.
    case transport(String)

    /// 3 permission, 4 agent not reachable, 1 anything else.
    public var exitCode: Int32 {
        switch self {
        case .notRunning, .timedOut: 4
        case .notPermitted: 3
        case .refused(let status, _, _): status == 403 ? 3 : 1
        case .ended, .tooLarge, .transport: 1
        }
    }

    public var description: String {
        switch self {
        case .notRunning(let socket): "the agent is not running: nothing answers on \(socket)"
        case .notPermitted(let socket): "permission denied on \(socket)"
        case .timedOut(let socket): "the agent did not answer in time on \(socket)"
        case .refused(_, let error, _): error
        case .ended(let inAnswer):
            "the agent ended during the request: the connection was closed "
                + (inAnswer ? "in the middle of its answer" : "without an answer")
        case .tooLarge(let bytes): "the answer is larger than \(bytes) bytes"
        case .transport(let text): "talking to the agent failed: \(text)"
        }
    }

    public var hint: String? {
        switch self {
        case .notRunning: "start it with: systemctl start nilo, or: nilo agent"
        case .notPermitted: "run as root, or join the group that owns the socket"
        case .timedOut: "see its log: journalctl -u nilo"
        case .refused(_, _, let hint): hint
        case .ended: "nilo status tells whether it runs again, its log why it ended: journalctl -u nilo"
        case .tooLarge: "ask for less with a filter"
        case .transport: nil
        }
    }
}

/// Asks the agent over its Unix socket: libcurl, blocking, one connection for each call.
public struct ControlClient: Sendable {
    public var socket: String
    /// Of an answer that is no stream.
    public var maximumBytes = 1 << 30

    public init(socket: String) { self.socket = socket }

    public func get(_ path: String, query: [(String, String)] = [], timeout: Duration = .seconds(10)) throws(ControlClientError) -> [UInt8]
    {
        try perform(path, query, body: nil, timeout: timeout, sink: Sink(limit: maximumBytes, line: nil))
    }

    public func post(_ path: String, query: [(String, String)] = [], body: [UInt8] = [], timeout: Duration = .seconds(10))
        throws(ControlClientError) -> [UInt8]
    {
        try perform(path, query, body: body, timeout: timeout, sink: Sink(limit: maximumBytes, line: nil))
    }

    /// Hands each line, without its newline, to `line` as it comes, until that returns false or the agent ends the stream.
    public func lines(_ path: String, query: [(String, String)] = [], _ line: (String) -> Bool) throws(ControlClientError) {
        try withoutActuallyEscaping(line) { escaping throws(ControlClientError) in
            _ = try perform(path, query, body: nil, timeout: nil, sink: Sink(limit: maximumBytes, line: escaping))
        }
    }

    /// Posts, and hands over each piece of the answer as it comes, until `piece` returns false or the agent ends the stream.
    /// - Parameter watched: as for poll(2): when one of these descriptors has something to tell the stream ends as well, however quiet it is.
    public func stream(
        _ path: String, query: [(String, String)] = [], watching watched: [pollfd] = [], _ piece: (UnsafeRawBufferPointer) -> Bool
    ) throws(ControlClientError) {
        try withoutActuallyEscaping(piece) { escaping throws(ControlClientError) in
            let sink = Sink(limit: maximumBytes, line: nil, piece: escaping)
            sink.watched = watched
            _ = try perform(path, query, body: [], timeout: nil, sink: sink)
        }
    }

    private func perform(_ path: String, _ query: [(String, String)], body: [UInt8]?, timeout: Duration?, sink: Sink)
        throws(ControlClientError) -> [UInt8]
    {
        // Once for the process, before any thread's first use.
        guard globalInit == CURLE_OK, let handle = curl_easy_init() else { throw .transport("libcurl does not start") }
        defer { curl_easy_cleanup(handle) }
        sink.handle = handle
        var url = "http://localhost" + escaped(path, keeping: "/")
        for (index, (name, value)) in query.enumerated() {
            url += (index == 0 ? "?" : "&") + escaped(name) + "=" + escaped(value)
        }
        let milliseconds = timeout.map { Int($0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000) } ?? 0
        var codes = [
            curl_setopt_string(handle, CURLOPT_URL, url), curl_setopt_string(handle, CURLOPT_UNIX_SOCKET_PATH, socket),
            // A proxy in the environment is not for this.
            curl_setopt_string(handle, CURLOPT_PROXY, ""), curl_setopt_long(handle, CURLOPT_NOSIGNAL, 1),
            curl_setopt_long(handle, CURLOPT_TIMEOUT_MS, milliseconds), curl_setopt_long(handle, CURLOPT_CONNECTTIMEOUT_MS, 5000),
            curl_setopt_write(handle, received), curl_setopt_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(sink).toOpaque()),
        ]
        let result: CURLcode
        if let body {
            codes.append(curl_setopt_long(handle, CURLOPT_POST, 1))
            codes.append(curl_setopt_long(handle, CURLOPT_POSTFIELDSIZE, body.count))
            // curl_easy_perform reads the body in place: it is over when this returns.
            result = body.withUnsafeBufferPointer { bytes in
                let empty: StaticString = ""
                let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress ?? empty.utf8Start)
                codes.append(curl_setopt_pointer(handle, CURLOPT_POSTFIELDS, start))
                return codes.first { $0 != CURLE_OK } ?? Self.run(handle, sink)
            }
        } else {
            result = codes.first { $0 != CURLE_OK } ?? Self.run(handle, sink)
        }
        return try withExtendedLifetime(sink) { () throws(ControlClientError) in try conclude(handle, result, sink) }
    }

    /// curl_easy_perform, which an event on one of the sink's descriptors ends.
    private static func run(_ handle: UnsafeMutableRawPointer, _ sink: Sink) -> CURLcode {
        guard !sink.watched.isEmpty else { return curl_easy_perform(handle) }
        guard let multi = curl_multi_init() else { return CURLE_OUT_OF_MEMORY }
        defer { curl_multi_cleanup(multi) }
        guard curl_multi_add_handle(multi, handle) == CURLM_OK else { return CURLE_OUT_OF_MEMORY }
        defer { curl_multi_remove_handle(multi, handle) }
        var waited = sink.watched.map {
            curl_waitfd(fd: $0.fd, events: Int32($0.events) & POLLIN != 0 ? Int16(CURL_WAIT_POLLIN) : 0, revents: 0)
        }
        while true {
            var running: Int32 = 0
            guard curl_multi_perform(multi, &running) == CURLM_OK else { return CURLE_OUT_OF_MEMORY }
            if running == 0 {
                var left: Int32 = 0
                return curl_multi_info_read(multi, &left)?.pointee.data.result ?? CURLE_RECV_ERROR
            }
            guard curl_multi_poll(multi, &waited, UInt32(waited.count), 1000, nil) == CURLM_OK else { return CURLE_OUT_OF_MEMORY }
            // libcurl does not tell of errors and hang-ups on descriptors that are not its own.
            if poll(&sink.watched, nfds_t(sink.watched.count), 0) > 0 {
                sink.stopped = true
                return CURLE_WRITE_ERROR
            }
        }
    }

    private func conclude(_ handle: UnsafeMutableRawPointer, _ result: CURLcode, _ sink: Sink) throws(ControlClientError) -> [UInt8] {
        var status = 0
        _ = curl_getinfo_long(handle, CURLINFO_RESPONSE_CODE, &status)
        if result != CURLE_OK, !(result == CURLE_WRITE_ERROR && sink.stopped) {
            if sink.overflowed { throw .tooLarge(bytes: maximumBytes) }
            throw failure(handle, result)
        }
        if status >= 400 {
            struct Answer: Decodable {
                var error: String
                var hint: String?
            }
            if let answer = try? JSONDecoder().decode(Answer.self, from: Data(sink.bytes)) {
                throw .refused(status: status, error: answer.error, hint: answer.hint)
            }
            throw .refused(status: status, error: "the agent answered with HTTP status \(status)", hint: nil)
        }
        sink.flushLine()
        return sink.bytes
    }

    private func failure(_ handle: UnsafeMutableRawPointer, _ result: CURLcode) -> ControlClientError {
        var code = 0
        switch result {
        case CURLE_COULDNT_CONNECT:
            _ = curl_getinfo_long(handle, CURLINFO_OS_ERRNO, &code)
            switch Int32(code) {
            case EACCES, EPERM: return .notPermitted(socket: socket)
            case ENOENT, ECONNREFUSED, ENOTDIR: return .notRunning(socket: socket)
            default: return .transport("connect to \(socket): \(code == 0 ? "failed" : String(cString: strerror(Int32(code))))")
            }
        // No byte of an answer; too few of them; a connection that breaks while something is sent or awaited.
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR: return .ended(inAnswer: false)
        case CURLE_PARTIAL_FILE: return .ended(inAnswer: true)
        case CURLE_RECV_ERROR:
            _ = curl_getinfo_long(handle, CURLINFO_RESPONSE_CODE, &code)
            return .ended(inAnswer: code > 0)
        case CURLE_OPERATION_TIMEDOUT: return .timedOut(socket: socket)
        default: return .transport(String(cString: curl_easy_strerror(result)))
        }
    }
}

let globalInit = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

/// Percent-encoding of all but RFC 3986's unreserved characters.
private func escaped(_ text: String, keeping kept: String = "") -> String {
    var result = ""
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            result.unicodeScalars.append(Unicode.Scalar(byte))
        case _ where kept.utf8.contains(byte): result.unicodeScalars.append(Unicode.Scalar(byte))
        default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }
    return result
}

/// Where an answer goes: all of it, or line by line. Errors (status 400 and above) are always kept whole.
private final class Sink {
    var handle: UnsafeMutableRawPointer?
    var bytes: [UInt8] = []
    var overflowed = false
    /// The reader had enough.
    var stopped = false
    var watched: [pollfd] = []
    private let limit: Int
    private let line: ((String) -> Bool)?
    private let piece: ((UnsafeRawBufferPointer) -> Bool)?

    init(limit: Int, line: ((String) -> Bool)?, piece: ((UnsafeRawBufferPointer) -> Bool)? = nil) {
        self.limit = limit
        self.line = line
        self.piece = piece
    }

    func take(_ piece: UnsafeRawBufferPointer) -> Bool {
        if let hand = self.piece, status < 400 {
            stopped = !hand(piece)
            return !stopped
        }
        guard bytes.count + piece.count <= limit else {
            overflowed = true
            return false
        }
        let searched = bytes.count
        bytes.append(contentsOf: piece)
        guard let line else { return true }
        if status >= 400 { return true }
        // What was there before holds no newline: a long line is not searched again with each piece.
        var (start, from) = (0, searched)
        while let end = bytes[from...].firstIndex(of: UInt8(ascii: "\n")) {
            let text = String(decoding: bytes[start..<end], as: UTF8.self)
            start = end + 1
            from = start
            if !line(text) {
                stopped = true
                break
            }
        }
        if start > 0 { bytes.removeFirst(start) }
        return !stopped
    }

    private var status: Int {
        var status = 0
        _ = curl_getinfo_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    /// A last line without its newline.
    func flushLine() {
        guard let line, !stopped, !bytes.isEmpty else { return }
        _ = line(String(decoding: bytes, as: UTF8.self))
        bytes = []
    }
}

private let received: @convention(c) (UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?) -> Int = {
    @Sendable data, size, count, context in
    let sink = Unmanaged<Sink>.fromOpaque(context!).takeUnretainedValue()
    return sink.take(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : 0
}
