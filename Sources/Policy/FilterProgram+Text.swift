import Flows
import NetworkTypes

extension FilterProgram {
    /// An instruction a line, as a person reads it: number, test, and where it goes on when it holds and when it does not.
    public var listing: [String] {
        let width = String(instructions.count - 1).count
        return instructions.enumerated().map { number, instruction in
            let padding = String(repeating: " ", count: width - String(number).count)
            return padding + "\(number): \(text(instruction))"
        }
    }

    private func text(_ instruction: Instruction) -> String {
        switch instruction {
        case .end: "end"
        case .apply(_, _, let next): "the rule applies, go to \(next)"
        case .test(let test, let onTrue, let onFalse): "\(text(test)) ? \(onTrue) : \(onFalse)"
        }
    }

    private func text(_ test: Test) -> String {
        switch test {
        case .range(let field, let range) where range.count == 1: "\(field) = \(field.text(range.lowerBound))"
        case .range(let field, let range): "\(field) in \(field.text(range.lowerBound))-\(field.text(range.upperBound))"
        case .bits(let field, let mask, let value): "\(field) & 0x\(String(mask, radix: 16)) = 0x\(String(value, radix: 16))"
        case .prefix(let address, let prefix): "\(address) in \(prefix)"
        case .set(let address, let number): "\(address) in set \(number) (\(size(number)))"
        }
    }
}

extension FilterProgram {
    private func size(_ set: Int) -> String {
        let count = prefixSets.indices.contains(set) ? prefixSets[set].count : 0
        return "\(count) prefix\(count == 1 ? "" : "es")"
    }
}

extension FilterProgram.Address: CustomStringConvertible {
    public var description: String { (layer == .inner ? "inner " : "") + (isDestination ? "destination" : "source") }
}

extension FilterProgram.Field: CustomStringConvertible {
    public var description: String {
        func at(_ layer: FilterProgram.Layer, _ name: String) -> String { (layer == .inner ? "inner " : "") + name }
        return switch self {
        case .etherType(let layer): at(layer, "ethertype")
        case .ipProtocol(let layer): at(layer, "protocol")
        case .sourcePort(let layer): at(layer, "source port")
        case .destinationPort(let layer): at(layer, "destination port")
        case .form(let layer): at(layer, "form")
        case .vlan: "vlan"
        case .innerVLAN: "inner vlan"
        case .vni: "vni"
        case .encapsulation: "encapsulation"
        case .interface: "interface"
        case .direction: "direction"
        case .dscp: "dscp"
        case .tcpFlags: "tcp flags"
        }
    }

    /// A value of the field.
    fileprivate func text(_ value: UInt32) -> String {
        switch self {
        case .etherType: UInt16(exactly: value).map { EtherType(rawValue: $0).description } ?? "\(value)"
        case .ipProtocol: UInt8(exactly: value).map { IPProtocol(rawValue: $0).description } ?? "\(value)"
        case .direction: UInt8(exactly: value).flatMap { Direction(rawValue: $0) }.map { "\($0)" } ?? "\(value)"
        case .encapsulation: value == 1 ? "vxlan" : "\(value)"
        case .vlan, .innerVLAN: value & 0x1000 != 0 ? "\(value & 0xfff)" : value == 0 ? "none" : "\(value)"
        case .form: UInt8(exactly: value).flatMap { TupleForm(rawValue: $0) }.map { "\($0)" } ?? "\(value)"
        case .sourcePort, .destinationPort, .vni, .interface, .dscp, .tcpFlags: "\(value)"
        }
    }
}
