import Flows
import NetworkTypes

/// Lays out messages: header, sets, records, big-endian. Knows the size bound, not when to say what.
struct MessageWriter {
    let domain: UInt32
    let exportSeconds: UInt32
    /// Bytes a message may have.
    let bound: Int
    /// Of the data records (not template records) in finished messages and this one.
    private(set) var records: UInt32
    private(set) var messages: [ExportedMessage] = []
    private var bytes: [UInt8] = []
    /// By the message that `bytes` will be.
    private var carried = ExportedAmount()
    private var setStart: Int?
    private var setIdentifier: UInt16 = 0

    static let messageHeader = 16
    static let setHeader = 4
    static let templateSet: UInt16 = 2
    static let optionsTemplateSet: UInt16 = 3

    /// - Parameter sequence: data records sent before in this transport session, modulo 2^32.
    init(domain: UInt32, exportSeconds: UInt32, sequence: UInt32, bound: Int) {
        self.domain = domain
        self.exportSeconds = exportSeconds
        self.bound = bound
        records = sequence
    }

    /// Makes room for `length` bytes in a set: goes on with the open set, or opens one, or starts a message. A record is never cut.
    mutating func begin(set identifier: UInt16, room length: Int) {
        if setStart == nil || setIdentifier != identifier {
            closeSet()
            if !bytes.isEmpty, bytes.count + Self.setHeader + length > bound { closeMessage() }
            openSet(identifier)
        } else if bytes.count + length > bound {
            closeMessage()
            openSet(identifier)
        }
    }

    mutating func countRecord() { records &+= 1 }

    /// The flow goes into the message that was begun.
    mutating func count(_ flow: ExportedFlow) { carried.add(flow) }

    private mutating func openSet(_ identifier: UInt16) {
        if bytes.isEmpty {
            put(UInt16(10))
            put(UInt16(0))  // length, at the end
            put(exportSeconds)
            put(records)
            put(domain)
        }
        setStart = bytes.count
        setIdentifier = identifier
        put(identifier)
        put(UInt16(0))
    }

    private mutating func closeSet() {
        guard let start = setStart else { return }
        store(UInt16(bytes.count - start), at: start + 2)
        setStart = nil
    }

    private mutating func closeMessage() {
        guard !bytes.isEmpty else { return }
        closeSet()
        store(UInt16(bytes.count), at: 2)
        messages.append(ExportedMessage(bytes: bytes, carried: carried))
        carried = ExportedAmount()
        bytes = []
        bytes.reserveCapacity(bound)
    }

    mutating func finish() -> [ExportedMessage] {
        closeMessage()
        return messages
    }

    mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        var shift = T.bitWidth
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    /// RFC 7011 section 7: one length byte below 255, else 255 and two.
    mutating func put(text: String) {
        let utf8 = Array(text.utf8.prefix(1000))
        if utf8.count < 255 {
            put(UInt8(utf8.count))
        } else {
            put(UInt8(255))
            put(UInt16(utf8.count))
        }
        bytes += utf8
    }

    private mutating func store(_ value: UInt16, at place: Int) {
        bytes[place] = UInt8(value >> 8)
        bytes[place + 1] = UInt8(value & 255)
    }
}

extension MessageWriter {
    mutating func templates(_ shapes: [RecordShape]) {
        for shape in shapes {
            let fields = shape.fields
            begin(set: Self.templateSet, room: 4 + 4 * fields.count)
            put(shape.template)
            put(UInt16(fields.count))
            put(fields: fields)
        }
    }

    mutating func optionsTemplates() {
        for shape in OptionsShape.allCases {
            begin(set: Self.optionsTemplateSet, room: 6 + 4 * shape.fields.count)
            put(shape.rawValue)
            put(UInt16(shape.fields.count))
            put(UInt16(1))  // scope fields
            put(fields: shape.fields)
        }
    }

    private mutating func put(fields: [InformationElement]) {
        for field in fields {
            put(field.number)
            put(field.length)
        }
    }

    mutating func append(_ flow: ExportedFlow, shape: RecordShape, length: Int) {
        begin(set: shape.template, room: length)
        countRecord()
        count(flow)
        let key = flow.key
        let traits = flow.traits
        put(traits.first.milliseconds)
        put(traits.last.milliseconds)
        put(flow.delta.wirePackets)
        put(flow.delta.wireBytes)
        put(UInt64(key.interface.rawValue))
        put(key.direction == .ingress ? flow.interfaceIndex : 0)
        put(key.direction == .egress ? flow.interfaceIndex : 0)
        put(key.direction.rawValue)
        put(flow.endReason.rawValue)
        put(key.vlan ?? 0)  // vlanId
        put(key.vlan ?? 0)  // dot1qVlanId
        put(key.innerVLAN ?? 0)
        if shape.outer != .other {
            let link = flow.linkHeader
            let (packets, overflow) = flow.delta.wirePackets.multipliedReportingOverflow(by: link)
            put(overflow || packets > flow.delta.wireBytes ? 0 : flow.delta.wireBytes - packets)
            put(UInt32(max(UInt64(traits.smallest), link) - link))
            put(UInt32(max(UInt64(traits.largest), link) - link))
            put(traits.classOfService)
            put(traits.tcpFlags.rawValue)
            put(traits.ttlMinimum)
            put(traits.ttlMaximum)
        }
        put(tuple: key.outer, shape.outer)
        if let network = shape.inner, let inner = key.inner, let vni = key.vni {
            put(UInt64(1) << 56 | UInt64(vni))
            put(tuple: inner, network)
        }
    }

    private mutating func put(tuple: FlowTuple, _ network: RecordShape.Network) {
        guard network != .other, let source = tuple.source, let destination = tuple.destination else {
            put(tuple.etherType.rawValue)
            return
        }
        for address in [source, destination] {
            switch address {
            case .v4(let a): put(a)
            case .v6(let high, let low):
                put(high)
                put(low)
            }
        }
        let ports = tuple.form == .ports
        put(ports ? tuple.sourcePort : 0)
        put(ports ? tuple.destinationPort : 0)
        put(tuple.protocol.rawValue)
        put(tuple.form == .icmp ? tuple.destinationPort : 0)
    }
}

extension Timestamp {
    /// Since the Unix epoch; what is before it becomes 0.
    var milliseconds: UInt64 { UInt64(max(0, nanoseconds) / 1_000_000) }
}

extension FlowTraits {
    /// The DSCP of the latest packet with the ECN codepoint where the flow had only one; else the ECN bits are 0.
    var classOfService: UInt8 {
        let codepoint: UInt8 = ecn & 0xF != 0 && ecn & (ecn &- 1) & 0xF == 0 ? UInt8((ecn & 0xF).trailingZeroBitCount) : 0
        return dscp << 2 | codepoint
    }
}
