import NetworkTypes

extension RoutingRule {
    /// The digest is over everything, so that two rules of one priority have two keys.
    public var identity: RuleIdentity {
        var writer = ByteWriter()
        write(to: &writer)
        return RuleIdentity(family: family, priority: priority, digest: fnv(writer.bytes))
    }

    func write(to writer: inout ByteWriter) {
        writer.put(family.rawValue)
        writer.number(priority)
        writer.put(action.rawValue)
        writer.number(table)
        writer.flags([
            isInverted, followsVRF, target != nil, source != nil, destination != nil, tos != 0, mark != 0 || markMask != 0,
            inputInterface != nil, outputInterface != nil, transport != nil, sourcePorts != nil, destinationPorts != nil, users != nil,
            suppressedLength != -1,
        ])
        writer.put(origin)
        if let target { writer.number(target) }
        if let source { writer.prefix(source) }
        if let destination { writer.prefix(destination) }
        if tos != 0 { writer.put(tos) }
        if mark != 0 || markMask != 0 {
            writer.number(mark)
            writer.number(markMask)
        }
        if let inputInterface { writer.text(inputInterface) }
        if let outputInterface { writer.text(outputInterface) }
        if let transport { writer.put(transport.rawValue) }
        if let sourcePorts { writer.range(sourcePorts) }
        if let destinationPorts { writer.range(destinationPorts) }
        if let users { writer.range(users) }
        if suppressedLength != -1 { writer.number(UInt32(bitPattern: suppressedLength)) }
    }

    init?(from reader: inout ByteReader) {
        guard let family = reader.byte().flatMap(Family.init), let priority = reader.number(UInt32.self),
            let action = reader.byte().flatMap(Action.init), let table = reader.number(UInt32.self), let has = reader.flags(14),
            let origin = reader.byte()
        else { return nil }
        self.init(family: family, priority: priority, action: action, table: table)
        isInverted = has[0]
        followsVRF = has[1]
        self.origin = origin
        guard reader.optional(has[2], &target, { $0.number(UInt32.self) }), reader.optional(has[3], &source, { $0.prefix() }),
            reader.optional(has[4], &destination, { $0.prefix() })
        else { return nil }
        if has[5] {
            guard let value = reader.byte(), value != 0 else { return nil }
            tos = value
        }
        if has[6] {
            guard let mark = reader.number(UInt32.self), let mask = reader.number(UInt32.self), mark != 0 || mask != 0 else { return nil }
            (self.mark, markMask) = (mark, mask)
        }
        guard reader.optional(has[7], &inputInterface, { $0.text() }), reader.optional(has[8], &outputInterface, { $0.text() }),
            reader.optional(has[9], &transport, { $0.byte().map { IPProtocol(rawValue: $0) } }),
            reader.optional(has[10], &sourcePorts, { $0.range() }), reader.optional(has[11], &destinationPorts, { $0.range() }),
            reader.optional(has[12], &users, { $0.range() })
        else { return nil }
        if has[13] {
            guard let bits = reader.number(UInt32.self), bits != .max else { return nil }
            suppressedLength = Int32(bitPattern: bits)
        }
    }
}

extension ByteWriter {
    mutating func range<T: FixedWidthInteger & UnsignedInteger>(_ range: ClosedRange<T>) {
        number(range.lowerBound)
        number(range.upperBound)
    }
}

extension ByteReader {
    mutating func range<T: FixedWidthInteger & UnsignedInteger>() -> ClosedRange<T>? {
        guard let low = number(T.self), let high = number(T.self), low <= high else { return nil }
        return low...high
    }
}
