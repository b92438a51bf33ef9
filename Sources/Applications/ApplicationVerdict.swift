import Dissection

/// What a conversation was found to be.
public struct ApplicationVerdict: Hashable, Sendable {
    /// On what a verdict rests, the weakest first (nDPI's `ndpi_confidence_t`).
    public enum Confidence: UInt8, Sendable, Hashable, CaseIterable, Comparable {
        case unknown = 0
        /// A guess by port.
        case port = 1
        /// A guess by whose the address is.
        case address = 2
        /// By other conversations of the same ends.
        case correlation = 3
        /// By what the packets say.
        case inspection = 4

        public static func < (a: Confidence, b: Confidence) -> Bool { a.rawValue < b.rawValue }
        public var isGuess: Bool { self == .port || self == .address }
    }

    /// A name that one of the ends said.
    public struct ServerName: Hashable, Sendable {
        public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
            /// Server name indication of TLS, DTLS or QUIC.
            case tls = 0
            /// The Host header.
            case http = 1
            /// The name that was asked for.
            case dns = 2
            /// Another protocol's: DHCP's host, NetBIOS's name.
            case other = 3
        }
        public var kind: Kind
        /// At most `HostName.mostCharacters` characters; of what nDPI alone has seen, at most its last 79.
        public var text: String

        public init(kind: Kind, text: String) {
            self.kind = kind
            self.text = text
        }
    }

    public var conversation: Conversation
    /// The first packet seen came from the conversation's lower end.
    public var isFromLowerEnd: Bool
    /// What carries the application, as nDPI names it: `TLS` for TLS.Google; nil when it carries itself.
    public var master: String?
    /// `Google`, `SSH`; nil: unknown.
    public var application: String?
    /// nDPI's category: `Web`, `Database`; nil when there is none.
    public var category: String?
    public var confidence: Confidence
    /// By its protocol. nil: unknown.
    public var isEncrypted: Bool?
    /// No further packet will be looked at.
    public var isFinal: Bool
    /// How many packets were looked at.
    public var packets: UInt8
    public var name: ServerName?

    /// `TLS.Google`, `SSH`, `Unknown`.
    public var stack: String { (master.map { $0 + "." } ?? "") + (application ?? "Unknown") }
}
