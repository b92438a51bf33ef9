import CNetlink
import Glibc
import NetworkTypes

/// A rule of nf_tables in words, which are those of nft(8) for what is common. It is made from the kernel's bytes alone, whoever made them:
/// what is not known here is told by the name of its expression, `[quota]`, and elements of sets are not told.
struct NetfilterWords {
    /// How bytes in a register are written.
    enum Form {
        case network, host, address, name, link, transport, family, state, bytes
    }

    /// What a register holds.
    struct Operand {
        var text: String
        var form = Form.bytes
        var mask: [UInt8]?
        /// Where it is a constant.
        var value: [UInt8]?
    }

    private(set) var words: [String] = []
    private var registers: [UInt32: Operand] = [:]
    /// The transport protocol that was compared with, and the word that says so: ports are told with it instead.
    private var transport: (name: String, word: Int)?
    private var family: Int?

    /// From the payload of NFT_MSG_NEWRULE.
    static func rule(_ payload: UnsafeRawBufferPointer) -> String {
        var rule = NetfilterWords()
        for (type, list) in NetlinkAttributes(payload, after: MemoryLayout<nfgenmsg>.size)
        where type == Int(NFTA_RULE_EXPRESSIONS.rawValue) {
            for (_, element) in NetlinkAttributes(list) {
                var name = ""
                var attributes: [Int: UnsafeRawBufferPointer] = [:]
                for (type, value) in NetlinkAttributes(element) {
                    if type == Int(NFTA_EXPR_NAME.rawValue) { name = value.text }
                    if type == Int(NFTA_EXPR_DATA.rawValue) { for (type, value) in NetlinkAttributes(value) { attributes[type] = value } }
                }
                rule.take(name, attributes)
            }
        }
        return rule.words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    private mutating func take(_ name: String, _ data: [Int: UnsafeRawBufferPointer]) {
        func number(_ type: UInt32) -> UInt32? { data[Int(type)]?.bigEndian() }
        switch name {
        case "meta":
            let key = Self.metaKeys[number(NFTA_META_KEY.rawValue) ?? .max] ?? ("meta ?", .bytes)
            if let target = number(NFTA_META_DREG.rawValue) { set(target, Operand(text: key.0, form: key.1)) }
            if let source = number(NFTA_META_SREG.rawValue) { words.append("\(key.0) set \(constant(source))") }
        case "ct":
            let key = Self.trackingKeys[number(NFTA_CT_KEY.rawValue) ?? .max] ?? ("ct ?", .bytes)
            if let target = number(NFTA_CT_DREG.rawValue) { set(target, Operand(text: key.0, form: key.1)) }
            if let source = number(NFTA_CT_SREG.rawValue) { words.append("\(key.0) set \(constant(source))") }
        case "payload":
            guard let target = number(NFTA_PAYLOAD_DREG.rawValue) else { return words.append("[payload]") }
            set(
                target,
                field(
                    number(NFTA_PAYLOAD_BASE.rawValue) ?? .max, number(NFTA_PAYLOAD_OFFSET.rawValue) ?? 0,
                    number(NFTA_PAYLOAD_LEN.rawValue) ?? 0))
        case "bitwise":
            guard let source = number(NFTA_BITWISE_SREG.rawValue), let target = number(NFTA_BITWISE_DREG.rawValue) else { return }
            var operand = registers[Self.place(source)] ?? Operand(text: "?")
            operand.mask = Self.bytes(data[Int(NFTA_BITWISE_MASK.rawValue)])
            set(target, operand)
        case "cmp":
            compare(
                number(NFTA_CMP_SREG.rawValue) ?? 0, number(NFTA_CMP_OP.rawValue) ?? 0, Self.bytes(data[Int(NFTA_CMP_DATA.rawValue)]) ?? [])
        case "range":
            let operand = registers[Self.place(number(NFTA_RANGE_SREG.rawValue) ?? 0)] ?? Operand(text: "?")
            let ends = [NFTA_RANGE_FROM_DATA, NFTA_RANGE_TO_DATA].map {
                NetfilterValue.text(Self.bytes(data[Int($0.rawValue)]) ?? [], operand.form)
            }
            words.append("\(operand.text) \(number(NFTA_RANGE_OP.rawValue) == 1 ? "!= " : "")\(ends[0])-\(ends[1])")
        case "lookup":
            lookUp(
                number(NFTA_LOOKUP_SREG.rawValue) ?? 0, "@" + (data[Int(NFTA_LOOKUP_SET.rawValue)]?.text.visible ?? "?"),
                to: number(NFTA_LOOKUP_DREG.rawValue), isInverted: (number(NFTA_LOOKUP_FLAGS.rawValue) ?? 0) & 1 != 0)
        case "immediate":
            guard let value = data[Int(NFTA_IMMEDIATE_DATA.rawValue)] else { return }
            if number(NFTA_IMMEDIATE_DREG.rawValue) == 0 {
                words.append(Self.verdict(value))
            } else if let target = number(NFTA_IMMEDIATE_DREG.rawValue) {
                set(target, Operand(text: "", value: Self.bytes(value)))
            }
        case "nat":
            let kind = number(NFTA_NAT_TYPE.rawValue) == 0 ? "snat" : "dnat"
            words.append(
                translation(
                    kind, number(NFTA_NAT_REG_ADDR_MIN.rawValue), number(NFTA_NAT_REG_PROTO_MIN.rawValue)))
        case "redir": words.append(translation("redirect", nil, number(NFTA_REDIR_REG_PROTO_MIN.rawValue)))
        case "masq": words.append("masquerade")
        case "log":
            words.append("log" + (data[Int(NFTA_LOG_PREFIX.rawValue)].map { " prefix \"\($0.text.visible)\"" } ?? ""))
        case "match", "target": words.append("xt \(name) \"\((data[1]?.text ?? "?").visible)\"")
        case "counter", "reject", "notrack", "limit", "quota": words.append(name)
        default:
            words.append("[\(name.visible)]")
            // It may have written to any of them.
            registers = [:]
        }
    }

    // MARK: Registers

    /// The four registers of sixteen bytes lie over those of four (nf_tables.h).
    private static func place(_ register: UInt32) -> UInt32 { (1...4).contains(register) ? 4 + register * 4 : register }
    private mutating func set(_ register: UInt32, _ operand: Operand) { registers[Self.place(register)] = operand }

    private func constant(_ register: UInt32, _ form: Form = .host) -> String {
        guard let operand = registers[Self.place(register)] else { return "?" }
        return operand.value.map { NetfilterValue.text($0, form) } ?? operand.text
    }

    /// NFTA_DATA_VALUE of a nested attribute.
    private static func bytes(_ nest: UnsafeRawBufferPointer?) -> [UInt8]? {
        guard let nest else { return nil }
        for (type, value) in NetlinkAttributes(nest) where type == Int(NFTA_DATA_VALUE.rawValue) { return Array(value) }
        return nil
    }

    private mutating func compare(_ register: UInt32, _ operation: UInt32, _ value: [UInt8]) {
        let operand = registers[Self.place(register)] ?? Operand(text: "?")
        let sign = operation < 6 ? ["", "!= ", "< ", "<= ", "> ", ">= "][Int(operation)] : "? "
        var text = NetfilterValue.text(value, operand.form)
        if let mask = operand.mask {
            if case .state = operand.form, operation == 1, value.allSatisfy({ $0 == 0 }) {
                return words.append("\(operand.text) \(NetfilterValue.text(mask, .state))")
            }
            guard case .address = operand.form, let length = NetfilterValue.prefixLength(mask) else {
                return words.append("\(operand.text) & \(NetfilterValue.text(mask, .bytes)) \(operation == 0 ? "== " : sign)\(text)")
            }
            text += "/\(length)"
        }
        words.append("\(operand.text) \(sign)\(text)")
        guard operation == 0 else { return }
        switch operand.form {
        case .transport: transport = (text, words.count - 1)
        case .family: family = words.count - 1
        default: break
        }
    }

    /// - Parameter target: nil for a set; 0 for a map of verdicts, else of values.
    private mutating func lookUp(_ register: UInt32, _ name: String, to target: UInt32?, isInverted: Bool) {
        let operand = registers[Self.place(register)] ?? Operand(text: "?")
        switch target {
        case nil: words.append("\(operand.text) \(isInverted ? "!= " : "")\(name)")
        case 0: words.append("\(operand.text) vmap \(name)")
        case let target?: set(target, Operand(text: "\(operand.text) map \(name)"))
        }
    }

    // MARK: Words

    /// A field of a header. What was compared with before it to know which header it is goes without saying.
    private mutating func field(_ base: UInt32, _ offset: UInt32, _ length: UInt32) -> Operand {
        switch (base, offset, length) {
        case (0, 0, 6): return Operand(text: "ether daddr")
        case (0, 6, 6): return Operand(text: "ether saddr")
        case (0, 12, 2): return Operand(text: "ether type")
        case (1, 9, 1): return Operand(text: "ip protocol", form: .transport)
        case (1, 6, 1): return Operand(text: "ip6 nexthdr", form: .transport)
        case (1, 12, 1...4), (1, 16, 1...4): return impliesFamily("ip \(offset == 12 ? "saddr" : "daddr")")
        case (1, 8, 5...16), (1, 24, 5...16): return impliesFamily("ip6 \(offset == 8 ? "saddr" : "daddr")")
        case (2, 0, 2), (2, 2, 2):
            var name = "th"
            if let transport {
                name = transport.name
                words[transport.word] = ""
            }
            return Operand(text: "\(name) \(offset == 0 ? "sport" : "dport")", form: .network)
        default:
            let base = base < 4 ? ["ll", "nh", "th", "ih"][Int(base)] : "?"
            return Operand(text: "@\(base),\(UInt64(offset) * 8),\(UInt64(length) * 8)")
        }
    }

    private mutating func impliesFamily(_ text: String) -> Operand {
        if let family { words[family] = "" }
        return Operand(text: text, form: .address)
    }

    private func translation(_ kind: String, _ address: UInt32?, _ port: UInt32?) -> String {
        var target = address.map { constant($0, .address) } ?? ""
        if target.contains(":") { target = "[\(target)]" }
        if let port { target += ":" + constant(port, .network) }
        return target.isEmpty ? kind : "\(kind) to \(target)"
    }

    private static func verdict(_ nest: UnsafeRawBufferPointer) -> String {
        for (type, value) in NetlinkAttributes(nest) where type == Int(NFTA_DATA_VERDICT.rawValue) {
            var code: Int32?
            var chain = "?"
            for (type, value) in NetlinkAttributes(value) {
                if type == Int(NFTA_VERDICT_CODE.rawValue) { code = value.bigEndian() }
                if type == Int(NFTA_VERDICT_CHAIN.rawValue) { chain = value.text.visible }
            }
            switch code {
            case -5: return "return"
            case -4: return "goto \(chain)"
            case -3: return "jump \(chain)"
            case -1: return "continue"
            case 0: return "drop"
            case 1: return "accept"
            case .some(let code) where code & 0xFF == 3: return "queue"
            default: return "[verdict]"
            }
        }
        return "[verdict]"
    }

    /// By NFT_META_*.
    private static let metaKeys: [UInt32: (String, Form)] = [
        0: ("meta length", .host), 1: ("meta protocol", .bytes), 2: ("meta priority", .host), 3: ("meta mark", .host), 4: ("iif", .link),
        5: ("oif", .link), 6: ("iifname", .name), 7: ("oifname", .name), 10: ("meta skuid", .host), 11: ("meta skgid", .host),
        15: ("meta nfproto", .family), 16: ("meta l4proto", .transport),
    ]
    /// By NFT_CT_*.
    private static let trackingKeys: [UInt32: (String, Form)] = [
        0: ("ct state", .state), 1: ("ct direction", .bytes), 2: ("ct status", .bytes), 3: ("ct mark", .host),
    ]
}
