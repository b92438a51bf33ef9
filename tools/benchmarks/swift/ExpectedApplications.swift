import Dissection
import Flows
import NetworkTypes

/// What nDPI's own reader says of a capture (`X.out` beside `X`): a numbered line for each flow, such as
/// `1 TCP 192.0.2.1:64410 <-> 192.0.2.2:443 [proto: 91.126/TLS.Google][…`.
struct ExpectedApplications {
    /// Protocol stacks of the flows that it knew.
    private(set) var stacks: [Conversation: String] = [:]

    init(_ path: String) throws(BenchError) {
        let text = String(decoding: try CaptureReader.contents(of: path), as: UTF8.self)
        for line in text.split(separator: "\n") { read(line.split(whereSeparator: { $0 == " " || $0 == "\t" })) }
    }

    private static let protocols: [Substring: IPProtocol] = ["TCP": .tcp, "UDP": .udp, "ICMP": .icmp, "ICMPV6": .icmpv6]

    private mutating func read(_ words: [Substring]) {
        guard let arrow = words.firstIndex(where: { $0 == "<->" || $0 == "->" }), arrow >= 2, arrow + 3 < words.count,
            let carrier = Self.protocols[words[arrow - 2]], let from = Self.end(words[arrow - 1]), let to = Self.end(words[arrow + 1]),
            words[arrow + 2] == "[proto:", let slash = words[arrow + 3].firstIndex(of: "/")
        else { return }
        let stack = words[arrow + 3][slash...].dropFirst().prefix { $0 != "]" }
        let hasPorts = carrier == .tcp || carrier == .udp
        var etherType = EtherType.ipv4
        if case .v6 = from.address { etherType = .ipv6 }
        let tuple = FlowTuple(
            source: from.address, destination: to.address, sourcePort: from.port, destinationPort: to.port, protocol: carrier,
            form: hasPorts ? .ports : .none, etherType: etherType)
        if let conversation = Conversation(tuple), stack != "Unknown" { stacks[conversation] = String(stack) }
    }

    /// `192.0.2.1:443`, `[2001:db8::1]:443`.
    private static func end(_ text: Substring) -> (address: IPAddress, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        let address = text[..<colon].filter { $0 != "[" && $0 != "]" }
        return IPAddress(address).map { ($0, port) }
    }
}
