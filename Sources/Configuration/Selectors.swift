/// Which interfaces are meant: a word of ours, or a name or glob of theirs.
public enum InterfaceSelector: Sendable, Equatable, CustomStringConvertible {
    /// Those that carry a default route, followed as routes change.
    case defaultRoute
    case all
    case allButLoopback
    /// An interface name, or with `*`, `?` or `[…]` a pattern of names.
    case named(Glob)

    /// nil when the text can be no interface name: names have 1 to 15 bytes without `/`, `:` and white space (dev_valid_name in the
    /// kernel).
    public init?(_ text: String) {
        switch text {
        case "default-route": self = .defaultRoute
        case "all": self = .all
        case "all-but-loopback": self = .allButLoopback
        default:
            let glob = Glob(text)
            guard !text.isEmpty, glob.isPattern || text.utf8.count <= 15, text != ".", text != "..", text.utf8.count <= 255 else {
                return nil
            }
            guard !text.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") || $0 <= 0x20 || $0 == 0x7f }) else {
                return nil
            }
            self = .named(glob)
        }
    }

    public var description: String {
        switch self {
        case .defaultRoute: "default-route"
        case .all: "all"
        case .allButLoopback: "all-but-loopback"
        case .named(let glob): glob.pattern
        }
    }
}

/// Which network namespaces are meant.
public enum NamespaceSelector: Sendable, Equatable, CustomStringConvertible {
    /// The one the agent was started in.
    case host
    case all
    /// A name under /run/netns, or a pattern of such names.
    case named(Glob)

    /// nil when the text can be no file name.
    public init?(_ text: String) {
        switch text {
        case "host": self = .host
        case "all": self = .all
        default:
            guard !text.isEmpty, text != ".", text != "..", text.utf8.count <= 255 else { return nil }
            guard !text.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 < 0x20 || $0 == 0x7f }) else { return nil }
            self = .named(Glob(text))
        }
    }

    public var description: String {
        switch self {
        case .host: "host"
        case .all: "all"
        case .named(let glob): glob.pattern
        }
    }
}

/// A pattern as in glob(7), without the special role of `/` and of a leading dot: `*`, `?`, `[a-z]`, `[!a-z]`.
public struct Glob: Sendable, Equatable {
    public var pattern: String

    public init(_ pattern: String) { self.pattern = pattern }

    public var isPattern: Bool { pattern.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") } }

    /// Compares bytes. Time is at most pattern × name: after a mismatch only the latest `*` is tried again.
    public func matches(_ name: String) -> Bool {
        let pattern = Array(self.pattern.utf8)
        let name = Array(name.utf8)
        var p = 0
        var n = 0
        var retry: (p: Int, n: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                retry = (p, n)
                p += 1
            } else if let width = Self.step(pattern, p, name[n]) {
                p += width
                n += 1
            } else if let star = retry {
                retry = (star.p, star.n + 1)
                p = star.p + 1
                n = star.n + 1
            } else {
                return false
            }
        }
        while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.count
    }

    /// How many bytes of the pattern stand for `byte` at `p`; nil when they do not.
    private static func step(_ pattern: [UInt8], _ p: Int, _ byte: UInt8) -> Int? {
        guard p < pattern.count else { return nil }
        switch pattern[p] {
        case UInt8(ascii: "?"): return 1
        case UInt8(ascii: "["):
            var at = p + 1
            let negated = at < pattern.count && pattern[at] == UInt8(ascii: "!")
            if negated { at += 1 }
            // A "]" right after the opening stands for itself.
            guard at < pattern.count, let end = pattern[(at + 1)...].firstIndex(of: UInt8(ascii: "]")) else {
                return byte == pattern[p] ? 1 : nil
            }
            var found = false
            while at < end {
                if at + 2 < end, pattern[at + 1] == UInt8(ascii: "-") {
                    found = found || (pattern[at] <= byte && byte <= pattern[at + 2])
                    at += 3
                } else {
                    found = found || pattern[at] == byte
                    at += 1
                }
            }
            return found != negated ? end - p + 1 : nil
        default: return pattern[p] == byte ? 1 : nil
        }
    }
}

/// An address or name with a port: `192.0.2.1:4739`, `[2001:db8::1]:4739`, `collector.example.net:4739`.
public struct HostPort: Sendable, Equatable, CustomStringConvertible {
    /// Without the brackets.
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// nil when there is no host, no port from 1 to 65535, or an IPv6 address without brackets.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]"), host.utf8.count > 2 {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
        let extra: Set<UInt8> = [0x2d, 0x2e, 0x3a, 0x5f, 0x25]  // - . : _ %
        guard host.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & 0xdf) || extra.contains($0) }) else {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// Reachable from this machine only.
    public var isLoopback: Bool {
        host == "::1" || host == "localhost" || (host.hasPrefix("127.") && host.split(separator: ".").count == 4)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
