import Dissection
import Flows
import NetworkTypes

/// Findings as bytes. Decoding checks every field: who sends them reads packets of strangers, and may have been taken over by one.
enum FindingCoding {
    private enum Kind: UInt8 {
        case application = 1
        case name = 2
        case neighbour = 3
    }

    /// Characters of a protocol's or a category's name.
    private static let mostNameCharacters = 64

    static func encode(_ finding: Finding) -> [UInt8] {
        var body: [UInt8] = []
        let kind: Kind
        switch finding {
        case .application(let verdict):
            kind = .application
            encode(verdict, &body)
        case .name(let answer, let network):
            kind = .name
            body.append(network)
            encode(answer.address, &body)
            body.append(answer.timeToLive)
            encode(answer.name, &body)
            encode(answer.canonicalName, &body)
        case .neighbour(let neighbour, let interface):
            kind = .neighbour
            body.append(interface)
            encode(neighbour, &body)
        }
        var bytes = [kind.rawValue]
        bytes.append(UInt16(body.count))
        return bytes + body
    }

    /// nil for what is malformed.
    static func decode(_ reader: inout ByteReader) -> Finding? {
        guard let kind = reader.byte().flatMap({ Kind(rawValue: $0) }), let size = reader.short(), let bytes = reader.take(Int(size)) else {
            return nil
        }
        var body = ByteReader(bytes)
        let finding: Finding?
        switch kind {
        case .application: finding = verdict(&body).map { .application($0) }
        case .name: finding = name(&body)
        case .neighbour: finding = body.long().flatMap { interface in neighbour(&body).map { .neighbour($0, interface: interface) } }
        }
        return body.left == 0 ? finding : nil
    }

    // MARK: Verdicts

    private static func encode(_ verdict: ApplicationVerdict, _ body: inout [UInt8]) {
        let tuple = verdict.conversation.tuple
        body.append(verdict.conversation.network)
        body.append(verdict.conversation.vni.map { $0 | 1 << 31 } ?? 0)
        encode(tuple.source, &body)
        encode(tuple.destination, &body)
        body.append(tuple.sourcePort)
        body.append(tuple.destinationPort)
        body.append(tuple.protocol.rawValue)
        body.append(tuple.form == .ports ? 1 : 0)
        let encrypted: UInt8 = verdict.isEncrypted.map { $0 ? 2 : 1 } ?? 0
        body.append((verdict.isFromLowerEnd ? 1 : 0) | (verdict.isFinal ? 2 : 0) | encrypted << 2)
        body.append(verdict.confidence.rawValue)
        body.append(verdict.packets)
        encode(verdict.master, &body)
        encode(verdict.application, &body)
        encode(verdict.category, &body)
        body.append(verdict.name.map { $0.kind.rawValue + 1 } ?? 0)
        if let name = verdict.name { encode(name.text, &body) }
    }

    private static func verdict(_ body: inout ByteReader) -> ApplicationVerdict? {
        guard let network = body.long(), let vni = body.long(), let source = address(&body), let destination = address(&body),
            let sourcePort = body.short(), let destinationPort = body.short(), let number = body.byte(), let hasPorts = body.byte(),
            let flags = body.byte(), let confidence = body.byte().flatMap({ ApplicationVerdict.Confidence(rawValue: $0) }),
            let packets = body.byte(), vni == 0 || vni & ~(1 << 31 | 0xFF_FFFF) == 0, hasPorts <= 1, flags < 12,
            let master = protocolName(&body), let application = protocolName(&body), let category = protocolName(&body),
            let kind = body.byte()
        else { return nil }
        var etherType: EtherType
        switch (source, destination) {
        case (.v4, .v4): etherType = .ipv4
        case (.v6, .v6): etherType = .ipv6
        default: return nil
        }
        let tuple = FlowTuple(
            source: source, destination: destination, sourcePort: sourcePort, destinationPort: destinationPort,
            protocol: IPProtocol(rawValue: number), form: hasPorts == 1 ? .ports : .none, etherType: etherType)
        // Only as it is written by whoever means it: the lower end first.
        guard let conversation = Conversation(tuple, vni: vni == 0 ? nil : vni & 0xFF_FFFF, network: network), conversation.tuple == tuple
        else { return nil }
        var name: ApplicationVerdict.ServerName?
        if kind > 0 {
            guard let kind = ApplicationVerdict.ServerName.Kind(rawValue: kind - 1), let text = text(&body) ?? nil,
                HostName.of(ArraySlice(text.utf8)) == text
            else { return nil }
            name = ApplicationVerdict.ServerName(kind: kind, text: text)
        }
        return ApplicationVerdict(
            conversation: conversation, isFromLowerEnd: flags & 1 != 0, master: master, application: application, category: category,
            confidence: confidence, isEncrypted: flags >> 2 == 0 ? nil : flags >> 2 == 2, isFinal: flags & 2 != 0, packets: packets,
            name: name)
    }

    /// Outer nil: malformed; inner: there is none.
    private static func protocolName(_ body: inout ByteReader) -> String?? {
        guard let name = text(&body) else { return nil }
        guard let name else { return .some(nil) }
        let isName = name.utf8.allSatisfy { (0x20...0x7E).contains($0) } && name.utf8.count <= mostNameCharacters
        return isName ? .some(name) : nil
    }

    // MARK: Names

    private static func name(_ body: inout ByteReader) -> Finding? {
        guard let network = body.long(), let address = address(&body), let timeToLive = body.long(), let name = text(&body) ?? nil,
            let canonical = text(&body), isDomainName(name), canonical.map(isDomainName) ?? true
        else { return nil }
        return .name(
            DNSAnswers.Address(address: address, name: name, canonicalName: canonical, timeToLive: timeToLive), network: network)
    }

    private static func isDomainName(_ text: String) -> Bool {
        (1...HostName.mostCharacters).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "-_.*\\".utf8.contains(byte)
                }
            }
    }

    // MARK: Neighbours

    private static func encode(_ neighbour: LLDPNeighbour, _ body: inout [UInt8]) {
        encode(neighbour.chassis, &body)
        encode(neighbour.port, &body)
        body.append(neighbour.timeToLive)
        encode(neighbour.portDescription, &body)
        encode(neighbour.systemName, &body)
        encode(neighbour.systemDescription, &body)
        encode(neighbour.managementAddress, &body)
    }

    private static func neighbour(_ body: inout ByteReader) -> LLDPNeighbour? {
        guard let chassis = identifier(&body), let port = identifier(&body), let timeToLive = body.short(), let description = plain(&body),
            let system = plain(&body), let systemDescription = plain(&body), let management = optionalAddress(&body)
        else { return nil }
        return LLDPNeighbour(
            chassis: chassis, port: port, timeToLive: timeToLive, portDescription: description, systemName: system,
            systemDescription: systemDescription, managementAddress: management)
    }

    private static func encode(_ identifier: LLDPNeighbour.Identifier, _ body: inout [UInt8]) {
        switch identifier {
        case .mac(let mac):
            body.append(1 as UInt8)
            body.append(mac.rawValue)
        case .address(let address):
            body.append(2 as UInt8)
            encode(address, &body)
        case .interface(let text):
            body.append(3 as UInt8)
            encode(text, &body)
        case .text(let text):
            body.append(4 as UInt8)
            encode(text, &body)
        }
    }

    private static func identifier(_ body: inout ByteReader) -> LLDPNeighbour.Identifier? {
        switch body.byte() {
        case 1: body.number(bytes: 8).map { .mac(MACAddress(rawValue: $0)) }
        case 2: address(&body).map { .address($0) }
        case 3: (plain(&body) ?? nil).map { .interface($0) }
        case 4: (plain(&body) ?? nil).map { .text($0) }
        default: nil
        }
    }

    // MARK: Parts

    /// Family 4 or 6, then the bytes; 0 alone for none.
    private static func encode(_ address: IPAddress?, _ body: inout [UInt8]) {
        switch address {
        case .v4(let a):
            body.append(4 as UInt8)
            body.append(a)
        case .v6(let high, let low):
            body.append(6 as UInt8)
            body.append(high)
            body.append(low)
        case nil: body.append(0 as UInt8)
        }
    }

    private static func address(_ body: inout ByteReader) -> IPAddress? { optionalAddress(&body) ?? nil }

    /// Outer nil: malformed.
    private static func optionalAddress(_ body: inout ByteReader) -> IPAddress?? {
        switch body.byte() {
        case 0: return .some(nil)
        case 4: return body.long().map { IPAddress?.some(.v4($0)) }
        case 6:
            guard let high = body.number(bytes: 8), let low = body.number(bytes: 8) else { return nil }
            return .v6(high: high, low: low)
        default: return nil
        }
    }

    /// A count of bytes and the bytes; 0xFFFF alone for none.
    private static func encode(_ text: String?, _ body: inout [UInt8]) {
        guard let text else { return body.append(UInt16.max) }
        body.append(UInt16(text.utf8.count))
        body += text.utf8
    }

    /// Outer nil: malformed, among it longer than any text that is sent, or no UTF-8.
    private static func text(_ body: inout ByteReader) -> String?? {
        guard let size = body.short() else { return nil }
        if size == .max { return .some(nil) }
        // A text of 255 bytes grows when parts of it are replaced.
        guard size <= 1024, let bytes = body.take(Int(size)), let text = String(validating: bytes, as: UTF8.self) else { return nil }
        return text
    }

    private static func plain(_ body: inout ByteReader) -> String?? {
        guard let text = text(&body) else { return nil }
        return text.map { PlainText.isPlain($0) } ?? true ? .some(text) : nil
    }
}
