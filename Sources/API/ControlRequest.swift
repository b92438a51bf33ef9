/// One request as the handler sees it.
public struct ControlRequest: Sendable {
    /// Who is at the other end of a Unix socket (SO_PEERCRED, unix(7)): the process that connected, as it was then.
    public struct Peer: Sendable, Equatable {
        public var pid: Int32
        public var uid: UInt32
        public var gid: UInt32
    }

    /// `GET`, `HEAD` or `POST`: others never reach the handler.
    public var method: String
    /// With its leading `/`, percent escapes undone, without the query.
    public var path: String
    /// The last value of each name, percent escapes undone; a name without `=` has the value "".
    public var query: [String: String]
    /// At most ``ControlServer/Limits/bodyBytes``.
    public var body: [UInt8]
    /// Came over a listener that must change nothing: only `GET` and `HEAD` get here.
    public var readOnly: Bool
    /// nil over TCP.
    public var peer: Peer?
}

/// What the handler answers.
public struct ControlResponse: Sendable {
    public enum Body: Sendable {
        case bytes([UInt8])
        /// The answer goes on: `start` gets the writing end and must return at once, handing it to another thread.
        case stream(start: @Sendable (ControlStream) -> Void)
    }

    /// An HTTP status (RFC 9110, 15).
    public var status: UInt32
    public var contentType: String
    public var body: Body

    public init(status: UInt32 = 200, contentType: String = "application/json", body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = .bytes(body)
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
