import NetworkTypes

/// One request as the handler sees it.
public struct ControlRequest: Sendable {
    /// Who is at the other end of a Unix socket (SO_PEERCRED, unix(7)): the process that connected, as it was then.
    public struct Peer: Sendable, Equatable {
        public var pid: Int32
        public var uid: UInt32
        public var gid: UInt32
    }

    /// As it was sent; over a listener that must change nothing only a safe one (RFC 9110, 9.2.1) gets here.
    public var method: String
    /// With its leading `/`, percent escapes undone, without the query.
    public var path: String
    /// The last value of each name, percent escapes undone; a name without `=` has the value "".
    public var query: [String: String]
    /// Names that the query has more than once.
    public var repeated: Set<String>
    /// At most ``ControlServer/Limits/bodyBytes``.
    public var body: [UInt8]
    /// Came over a listener that must change nothing.
    public var readOnly: Bool
    /// nil over TCP.
    public var peer: Peer?
    /// The header fields of that name, as they were sent; nil for one that was not.
    public var host: String?
    public var authorization: String?

    public init(
        method: String, path: String, query: [String: String] = [:], repeated: Set<String> = [], body: [UInt8] = [],
        readOnly: Bool = false, peer: Peer? = nil, host: String? = nil, authorization: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.repeated = repeated
        self.body = body
        self.readOnly = readOnly
        self.peer = peer
        self.host = host
        self.authorization = authorization
    }
}

/// What the handler answers.
public struct ControlResponse: Sendable {
    /// The next piece of an answer, never an empty one; nil at its end. Called on the server's thread.
    public typealias Pieces = @Sendable () throws -> [UInt8]?

    public enum Body: Sendable {
        case bytes([UInt8])
        /// Made while the client takes it, so that it is never in memory as a whole. What it holds on to is let go with it.
        case pieces(Pieces)
        /// Made on another thread after the handler has returned: what takes a while, and needs nobody else.
        case later(@Sendable () -> ControlResponse)
        /// The answer goes on: `start` gets the writing end and must return at once, handing it to another thread.
        case stream(start: @Sendable (ControlStream) -> Void)
    }

    /// An HTTP status (RFC 9110, 15).
    public var status: UInt32
    public var contentType: String
    /// Further header fields.
    public var headers: [(name: String, value: String)] = []
    public var body: Body

    public init(status: UInt32 = 200, contentType: String = "application/json", body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = .bytes(body)
    }

    public init(contentType: String = "application/json", pieces next: @escaping Pieces) {
        status = 200
        self.contentType = contentType
        body = .pieces(next)
    }

    public init(later make: @escaping @Sendable () -> ControlResponse) {
        status = 200
        contentType = ""
        body = .later(make)
    }

    public init(contentType: String = "application/x-ndjson", stream start: @escaping @Sendable (ControlStream) -> Void) {
        status = 200
        self.contentType = contentType
        body = .stream(start: start)
    }

    /// The form of every failure: `{"error": …, "hint": …}`, which ``ControlClient`` reads.
    public static func failure(_ status: UInt32, _ error: String, hint: String? = nil) -> ControlResponse {
        let hint = hint.map { ",\"hint\":\(quoted($0))" } ?? ""
        return ControlResponse(status: status, body: Array("{\"error\":\(quoted(error))\(hint)}\n".utf8))
    }

    /// 405 with the methods that there are (RFC 9110, 10.2.1).
    public static func notAllowed(_ error: String, allowed: [String], hint: String? = nil) -> ControlResponse {
        var response = failure(405, error, hint: hint)
        response.headers.append(("Allow", allowed.joined(separator: ", ")))
        return response
    }

    /// 400: what is wrong with one value of the request, also as members `field`, `value` and `reason`, for programs.
    /// - Parameter value: nil when the field itself is wrong.
    public static func badValue(field: String, value: String?, reason: String, hint: String? = nil) -> ControlResponse {
        let error = field.visible + (value.map { " \"\($0.visible)\"" } ?? "") + ": " + reason.visible
        var members = [("error", error)]
        if let hint { members.append(("hint", hint)) }
        members.append(("field", field))
        if let value { members.append(("value", value)) }
        members.append(("reason", reason))
        let json = members.map { "\"\($0)\":\(quoted($1))" }.joined(separator: ",")
        return ControlResponse(status: 400, body: Array("{\(json)}\n".utf8))
    }
}

/// A JSON string (RFC 8259, 7).
func quoted(_ text: String) -> String {
    var result = "\""
    for unicode in text.unicodeScalars {
        switch unicode {
        case "\"", "\\": result += "\\" + String(unicode)
        case _ where unicode.value < 0x20:
            let hex = String(unicode.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: result.unicodeScalars.append(unicode)
        }
    }
    return result + "\""
}
