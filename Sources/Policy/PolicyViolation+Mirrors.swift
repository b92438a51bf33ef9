import Flows
import NetworkTypes

extension MirrorRule {
    func violations(_ subject: PolicyViolation.Subject) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        func report(_ key: String, _ reason: String, hint: String? = nil) { violations.append(.init(subject, key, reason, hint: hint)) }
        switch target {
        case .interface(let name):
            if ["nilo-m0", "nilo-m1"].contains(name) {
                report("to.interface", "is the mirror port, through which copies go on their way", hint: "name another interface")
            }
            for source in scope.interfaces where NamePattern(RuleScope.interfaceName(source)).matches(name) {
                report(
                    "to.interface", "the target is one of the rule's own sources (on: \(source))",
                    hint: "what is copied to an interface leaves by it, and would be copied again")
            }
        case .vxlan(let tunnel):
            if !Policy.mirrorVNIs.contains(tunnel.vni) {
                report(
                    "to.vxlan.vni", "must be 16711680 to 16777215 (0xff0000 to 0xffffff)",
                    hint: "by this range every host knows mirrored traffic, and does not mirror it again")
            }
            if tunnel.port == 0 { report("to.vxlan.port", "must be 1 to 65535") }
            for problem in Self.endpoints(tunnel.remote, tunnel.local) { report("to.vxlan.\(problem.key)", problem.reason) }
        case .erspan(let tunnel):
            if tunnel.session > 1023 { report("to.erspan.session", "must be 0 to 1023") }
            for problem in Self.endpoints(tunnel.remote, tunnel.local) { report("to.erspan.\(problem.key)", problem.reason) }
        case .file(let file):
            if !file.path.hasPrefix("/") || file.path.hasSuffix("/") { report("to.file.path", "must be an absolute path of a file") }
            if file.size < ByteCount(65536) { report("to.file.size", "must be at least 65536 B") }
            if !(1...1000).contains(file.files) { report("to.file.files", "must be 1 to 1000") }
        case .client: break
        }
        switch selection {
        case .packets(oneIn: 0): report("one-in.packets", "must be at least 1")
        case .flows(oneIn: 0): report("one-in.flows", "must be at least 1")
        default: break
        }
        if let snapLength, !(Policy.shortestSnapLength...65535).contains(snapLength) {
            report("snap", "must be \(Policy.shortestSnapLength) to 65535 bytes")
        }
        switch limit {
        case .bits(let rate)? where !ShapeRule.rateBounds.contains(rate): report("limit", ShapeRule.rateReason)
        case .packets(let rate)? where !(1...1e9).contains(rate.packetsPerSecond): report("limit", "must be 1 pps to 1000 Mpps")
        default: break
        }
        if !(0...1000).contains(priority) { report("priority", "must be 0 to 1000") }
        return violations
    }

    private static func endpoints(_ remote: IPAddress, _ local: IPAddress?) -> [(key: String, reason: String)] {
        let unspecified: [IPAddress] = [.v4(0), .v6(high: 0, low: 0)]
        var problems: [(key: String, reason: String)] = []
        if unspecified.contains(remote) { problems.append(("remote", "is no address of a collector")) }
        if let reason = unreachable(remote) { problems.append(("remote", reason)) }
        if let local, local.isV4 != remote.isV4 { problems.append(("local", "must be of the same family as remote")) }
        return problems
    }

    /// Why no collector can have an address, as far as the address itself tells.
    private static func unreachable(_ address: IPAddress) -> String? {
        switch address {
        case .v4(0xFFFF_FFFF): "is the broadcast address: a collector has one of its own"
        case .v4(let word) where word >> 24 == 127: "is a loopback address: copies go out to another host"
        case .v4(let word) where word >> 28 == 0xE: "is a multicast address: a collector has one of its own"
        case .v6(high: 0, low: 1): "is a loopback address: copies go out to another host"
        case .v6(high: let high, low: _) where high >> 56 == 0xFF: "is a multicast address: a collector has one of its own"
        case .v6(high: 0, low: let low) where low >> 32 == 0xFFFF: "is an IPv4-mapped address: write it as IPv4"
        default: nil
        }
    }
}

extension SampleRule {
    /// The most that the datapath hands over (`NILO_SNAP_MOST`).
    public static let snapBounds = Policy.shortestSnapLength...2048

    func violations(_ subject: PolicyViolation.Subject) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        func report(_ key: String, _ reason: String, hint: String? = nil) { violations.append(.init(subject, key, reason, hint: hint)) }
        switch rate {
        case .oneIn(let count): if count == 0 { report("one-in", "must be at least 1") }
        case .samplesPerSecond(let rate):
            if !(rate >= 0.001 && rate <= 1e6) { report("budget", "must be 0.001 to 1000000 samples/s") }
        case .cpu(let part): if !(part >= 0.0001 && part <= 1) { report("budget", "must be 0.01 % to 100 % of a CPU") }
        case .none:
            if firstPackets == 0 && always.isEmpty {
                report("", "samples nothing", hint: "give it one-in, budget, first or always")
            }
        }
        if !Self.snapBounds.contains(snapLength) {
            report("snap", "must be \(Self.snapBounds.lowerBound) to \(Self.snapBounds.upperBound) bytes")
        }
        return violations
    }
}
