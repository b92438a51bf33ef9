import CDatapath
import Flows
import NetworkTypes
import Policy

extension PolicyTables {
    /// Puts a compiled program in force, as ``replace(_:sets:uses:)`` does. Before, clear the rules' flags of interfaces that are not among
    /// its points; after, set those of the ones that are.
    public func replace(_ program: FilterProgram) throws(BPFError) {
        var members: [SetMember] = []
        for (number, prefixes) in program.prefixSets.enumerated() {
            members += prefixes.map { SetMember(set: UInt16(number), $0) }
        }
        let uses = (program.usesDSCP ? NILO_USES_DSCP.rawValue : 0) | (program.usesTCPFlags ? NILO_USES_TCP_FLAGS.rawValue : 0)
        try replace(program.instructions.map { nilo_instruction($0) }, sets: members, uses: uses)
    }
}

extension FilterProgram {
    /// The directions of an interface in which rules may apply, as `NILO_PORT_RULES_*`.
    public func portFlags(of interface: InterfaceID) -> UInt32 {
        (points.contains(Point(interface, .ingress)) ? NILO_PORT_RULES_INGRESS.rawValue : 0)
            | (points.contains(Point(interface, .egress)) ? NILO_PORT_RULES_EGRESS.rawValue : 0)
    }
}

extension nilo_instruction {
    init(_ instruction: FilterProgram.Instruction) {
        self.init()
        switch instruction {
        case .end: operation = UInt8(NILO_OP_END.rawValue)
        case .apply(let kind, let index, let next):
            switch kind {
            case .mirror: operation = UInt8(NILO_OP_MIRROR.rawValue)
            case .sampler: operation = UInt8(NILO_OP_SAMPLE.rawValue)
            case .shaper: operation = UInt8(NILO_OP_SHAPE.rawValue)
            }
            low = UInt32(index)
            (on_true, on_false) = (UInt16(next), UInt16(next))
        case .test(let test, let onTrue, let onFalse):
            set(test)
            (on_true, on_false) = (UInt16(onTrue), UInt16(onFalse))
        }
    }

    private mutating func set(_ test: FilterProgram.Test) {
        switch test {
        case .range(let field, let range):
            operation = UInt8(NILO_OP_RANGE.rawValue)
            self.field = field.number
            (low, high) = (range.lowerBound, range.upperBound)
        case .bits(let field, let mask, let value):
            operation = UInt8(NILO_OP_BITS.rawValue)
            self.field = field.number
            (low, high) = (mask, value)
        case .prefix(let address, let prefix):
            operation = UInt8(NILO_OP_PREFIX.rawValue)
            field = address.number
            bits = prefix.address.fieldWords
            let ones: IPAddress = prefix.address.isV4 ? .v4(.max) : .v6(high: .max, low: .max)
            guard let whole = IPPrefix(ones, length: prefix.length) else { preconditionFailure("\(prefix) has an impossible length") }
            mask = whole.address.fieldWords
        case .set(let address, let number):
            operation = UInt8(NILO_OP_SET.rawValue)
            field = address.number
            low = UInt32(number)
        }
    }
}

extension FilterProgram.Field {
    /// `enum nilo_field`
    fileprivate var number: UInt8 {
        func at(_ layer: FilterProgram.Layer, _ field: nilo_field) -> UInt8 {
            UInt8(field.rawValue + (layer == .inner ? NILO_FIELD_INNER.rawValue : 0))
        }
        return switch self {
        case .etherType(let layer): at(layer, NILO_FIELD_ETHERTYPE)
        case .ipProtocol(let layer): at(layer, NILO_FIELD_PROTOCOL)
        case .sourcePort(let layer): at(layer, NILO_FIELD_SPORT)
        case .destinationPort(let layer): at(layer, NILO_FIELD_DPORT)
        case .form(let layer): at(layer, NILO_FIELD_FORM)
        case .vlan: UInt8(NILO_FIELD_VLAN.rawValue)
        case .innerVLAN: UInt8(NILO_FIELD_INNER_VLAN.rawValue)
        case .vni: UInt8(NILO_FIELD_VNI.rawValue)
        case .encapsulation: UInt8(NILO_FIELD_ENCAP.rawValue)
        case .interface: UInt8(NILO_FIELD_INTERFACE.rawValue)
        case .direction: UInt8(NILO_FIELD_DIRECTION.rawValue)
        case .dscp: UInt8(NILO_FIELD_DSCP.rawValue)
        case .tcpFlags: UInt8(NILO_FIELD_TCP_FLAGS.rawValue)
        }
    }
}

extension FilterProgram.Address {
    /// `enum nilo_address`
    fileprivate var number: UInt8 {
        let first = layer == .outer ? NILO_ADDRESS_SOURCE : NILO_ADDRESS_INNER_SOURCE
        return UInt8(first.rawValue) + (isDestination ? 1 : 0)
    }
}
