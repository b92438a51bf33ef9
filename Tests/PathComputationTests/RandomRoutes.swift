import NetworkTypes
import TestSupport

/// Random routing tables and rules as `ip` commands, dense enough that prefixes, tables and selectors overlap.
struct RandomRoutes {
    var random: SplitMix64
    let isV4: Bool
    /// Names of the interfaces; number n has the network of `gateway(n, …)`.
    let interfaces: [String]
    /// With source-specific routes (IPv6).
    var hasSources = true

    static let tables: [UInt32] = [100, 101, 102]

    /// A host in the network of interface n.
    func host(_ n: Int, _ k: Int) -> String { isV4 ? "192.168.\(n).\(k)" : "2001:db8:\(n)::\(String(k, radix: 16))" }
    var networkLength: Int { isV4 ? 24 : 64 }

    /// Few bits vary, so that random prefixes contain each other.
    mutating func destination() -> String {
        let bits = UInt32.random(in: 0..<256, using: &random)
        return isV4
            ? "10.\(bits >> 4 * 16).\(bits & 15).\(UInt8.random(in: 1...3, using: &random))" : "2001:db8:f\(String(bits, radix: 16))::1"
    }

    mutating func prefix() -> String {
        if random.once(in: 12) { return "default" }
        let bits = UInt32.random(in: 0..<256, using: &random)
        if isV4 {
            let length = random.pick([8, 9, 10, 12, 16, 20, 22, 24, 30, 32])
            return IPPrefix(.v4(10 << 24 | (bits >> 4 * 16) << 16 | (bits & 15) << 8 | 1), length: length)!.description
        }
        let length = random.pick([32, 36, 40, 44, 48, 64, 128])
        let high = UInt64(0x2001_0db8) << 32 | UInt64(0xf00 + bits) << 16
        return IPPrefix(.v6(high: high, low: 1), length: length)!.description
    }

    private mutating func way() -> String {
        let n = Int.random(in: 0..<interfaces.count, using: &random)
        return random.once(in: 5) ? "dev \(interfaces[n])" : "via \(host(n, Int.random(in: 2...5, using: &random))) dev \(interfaces[n])"
    }

    mutating func objects() -> [String] {
        var commands: [String] = []
        for id in 1...5 {
            let n = Int.random(in: 0..<interfaces.count, using: &random)
            commands.append("nexthop add id \(id) via \(host(n, id + 5)) dev \(interfaces[n])")
        }
        commands.append("nexthop add id 6 blackhole")
        commands.append("nexthop add id 10 group 1,\(UInt8.random(in: 1...9, using: &random))/2,3/3,1")
        commands.append("nexthop add id 11 group 4,2/5,5")
        return commands
    }

    mutating func route() -> String {
        let kind = UInt8.random(in: 0..<20, using: &random)
        var words = "route append "
        let reject = [0: "blackhole ", 1: "unreachable ", 2: "prohibit ", 3: "throw "]
        words += (reject[Int(kind)] ?? "") + prefix()
        if !isV4, hasSources, random.once(in: 5), kind > 3 {
            words += " from \(IPPrefix(IPAddress(host(0, 0))!, length: random.pick([36, 48, 64]))!)"
        }
        if isV4, random.once(in: 6) { words += " tos \(random.pick(["0x10", "0x08", "0x04"]))" }
        words += " metric \(random.pick([5, 10, 20]))"
        words += " table \(random.pick([254] + Self.tables))"
        switch kind {
        case 0...3: break
        case 4...7:
            for _ in 0..<Int.random(in: 2...3, using: &random) {
                // Without a gateway IPv6 takes no multipath.
                let n = Int.random(in: 0..<interfaces.count, using: &random)
                words += " nexthop via \(host(n, Int.random(in: 2...5, using: &random))) dev \(interfaces[n])"
                words += " weight \(UInt8.random(in: 1...5, using: &random))"
            }
        case 8...9: words += " nhid \(random.pick([1, 2, 4, 6, 10, 11]))"
        default:
            words += " " + way()
            if isV4, random.once(in: 5) {
                words += " src \(host(Int.random(in: 0..<interfaces.count, using: &random), 1))"
            }
        }
        return words
    }

    mutating func rule(_ priority: Int) -> String {
        var words = "rule add "
        if random.once(in: 8) { words += "not " }
        let n = Int.random(in: 0..<interfaces.count, using: &random)
        if random.once(in: 3) { words += "from \(IPPrefix(IPAddress(host(n, 0))!, length: networkLength - 1 + Int(priority & 1))!) " }
        if random.once(in: 4) {
            let to = prefix()
            words += "to \(to == "default" ? "all" : to) "
        }
        if random.once(in: 3) { words += "fwmark \(random.pick([1, 2, 3]))\(random.once(in: 2) ? "/0x3" : "") " }
        if isV4, random.once(in: 8) { words += "tos 0x10 " }
        if random.once(in: 6) { words += "iif \(random.pick(interfaces + ["lo", "absent"])) " }
        if random.once(in: 8) { words += "oif \(random.pick(interfaces)) " }
        if random.once(in: 6) { words += "ipproto udp " }
        if random.once(in: 6) { words += "ipproto udp dport \(random.pick(["53", "50-60", "1000-2000"])) " }
        if random.once(in: 10) { words += "uidrange 5-9 " }
        words += "prio \(priority) "
        switch UInt8.random(in: 0..<14, using: &random) {
        case 0: words += "blackhole"
        case 1: words += "unreachable"
        case 2: words += "prohibit"
        case 3: words += "nop"
        case 4...5: words += "goto \(random.pick([priority + 10, priority + 30, 32766]))"
        default:
            words += "lookup \(random.pick([254] + Self.tables))"
            if random.once(in: 4) { words += " suppress_prefixlength \(isV4 ? random.pick([0, 8, 16, 24]) : random.pick([0, 32, 44, 64]))" }
        }
        return words
    }
}
