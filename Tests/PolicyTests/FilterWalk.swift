import Flows
import NetworkTypes
import Policy

/// Walks a program as the datapath does, for one packet.
struct FilterWalk {
    let key: FlowKey
    let dscp: UInt8
    let tcpFlags: TCPFlags
    private(set) var applied: [RuleKind: [Int]] = [:]
    private(set) var steps = 0

    /// - Parameter record: of a single packet.
    init(_ program: FilterProgram, _ record: FlowRecord) {
        (key, dscp, tcpFlags) = (record.key, record.traits.dscp, record.traits.tcpFlags)
        var at = 0
        while true {
            steps += 1
            switch program.instructions[at] {
            case .end: return
            case .apply(let kind, let index, let next):
                precondition(next > at)
                applied[kind, default: []].append(index)
                at = next
            case .test(let test, let onTrue, let onFalse):
                precondition(onTrue > at && onFalse > at)
                at = holds(test, program.prefixSets) ? onTrue : onFalse
            }
        }
    }

    private func holds(_ test: FilterProgram.Test, _ sets: [[IPPrefix]]) -> Bool {
        switch test {
        case .range(let field, let range): return range.contains(value(field))
        case .bits(let field, let mask, let wanted): return value(field) & mask == wanted
        case .prefix(let address, let prefix):
            guard let found = self.address(address) else { preconditionFailure("\(address) is asked for where there is none") }
            return prefix.contains(found)
        case .set(let address, let number):
            guard let found = self.address(address) else { preconditionFailure("\(address) is asked for where there is none") }
            return sets[number].contains { $0.contains(found) }
        }
    }

    private func tuple(_ layer: FlowFilter.Layer) -> FlowTuple? { layer == .outer ? key.outer : key.inner }

    private func address(_ address: FilterProgram.Address) -> IPAddress? {
        tuple(address.layer).flatMap { address.isDestination ? $0.destination : $0.source }
    }

    private func value(_ field: FilterProgram.Field) -> UInt32 {
        switch field {
        case .etherType(let layer): tuple(layer).map { UInt32($0.etherType.rawValue) } ?? 0
        case .ipProtocol(let layer): tuple(layer).map { UInt32($0.protocol.rawValue) } ?? 0
        case .sourcePort(let layer): tuple(layer).map { UInt32($0.sourcePort) } ?? 0
        case .destinationPort(let layer): tuple(layer).map { UInt32($0.destinationPort) } ?? 0
        case .form(let layer): tuple(layer).map { UInt32($0.form.rawValue) } ?? 0
        case .vlan: key.vlan.map { UInt32($0 | 0x1000) } ?? 0
        case .innerVLAN: key.innerVLAN.map { UInt32($0 | 0x1000) } ?? 0
        case .vni: key.vni ?? 0
        case .encapsulation: key.isVXLAN ? 1 : 0
        case .interface: key.interface.rawValue
        case .direction: UInt32(key.direction.rawValue)
        case .dscp: UInt32(dscp)
        case .tcpFlags: UInt32(tcpFlags.rawValue)
        }
    }
}
