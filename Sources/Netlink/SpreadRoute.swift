import CNetlink
import Glibc
import NetworkTypes
import Topology

/// A prefix whose packets the kernel spreads over several paths by weights, as we have it done: beside all that others route.
///
/// A nexthop object for each path, a group of them, and a route to the group in a table of its own (ip-nexthop(8), ip-route(8)). Two rules
/// (ip-rule(8)) come before the main table's: first the main table is asked, where only what leads to a part of the prefix counts
/// (`suppress_prefixlength`), then ours. Rules by others that come earlier go on coming earlier. All of it has our protocol number, and
/// numbers from one range, by the slot.
public struct SpreadRoute: Hashable, Sendable {
    public struct Path: Hashable, Sendable {
        /// 0 to 7: the path's place among those of its route, which its object's number tells.
        public var place: Int
        public var interface: Int32
        public var gateway: IPAddress?
        /// 1 to 256.
        public var weight: Int

        public init(place: Int, interface: Int32, gateway: IPAddress?, weight: Int) {
            self.place = place
            self.interface = interface
            self.gateway = gateway
            self.weight = weight
        }
    }

    /// 0 to 63: what its numbers are made of.
    public var slot: Int
    public var destination: IPPrefix
    /// Those that packets are sent over, at least one.
    public var paths: [Path]
    /// Both rules and the route to the group are there; false where somebody took one of them away, or made another one of it.
    public var isWhole = true

    public init(slot: Int, destination: IPPrefix, paths: [Path]) {
        precondition(Self.slots.contains(slot) && paths.allSatisfy { Self.places.contains($0.place) && (1...256).contains($0.weight) })
        self.slot = slot
        self.destination = destination
        self.paths = paths
    }

    public static let slots = 0..<64
    public static let places = 0..<8
    /// Who made it, where the kernel asks: RTPROT_* has no name for this number.
    public static let origin: UInt8 = 110
    /// Of tables, and of nexthop objects, sixteen for each slot.
    static let firstTable: UInt32 = 0x6E69_0000
    static let firstObject: UInt32 = 0x6E69_0000
    static let tables = firstTable..<firstTable + UInt32(slots.count)
    static let objects = firstObject..<firstObject + 16 * UInt32(slots.count)

    var table: UInt32 { Self.firstTable + UInt32(slot) }
    var group: UInt32 { Self.firstObject + 16 * UInt32(slot) }
    func object(_ place: Int) -> UInt32 { group + 1 + UInt32(place) }
    /// Longer prefixes first, and all before the main table's 32766.
    var priority: UInt32 { Self.priority(destination.length) }
    static func priority(_ length: Int) -> UInt32 { 32_400 + 2 * UInt32(128 - length) }
    var family: RoutingRule.Family { destination.address.isV4 ? .ipv4 : .ipv6 }
    /// The main table is asked first, for parts of the prefix alone.
    var rules: [RoutingRule] {
        var asksMain = RoutingRule(family: family, priority: priority, action: .table, table: UInt32(RT_TABLE_MAIN.rawValue))
        asksMain.suppressedLength = Int32(destination.length)
        var asksOurs = RoutingRule(family: family, priority: priority + 1, action: .table, table: table)
        asksOurs.suppressedLength = -1
        let prefix = destination.length == 0 ? nil : destination
        (asksMain.destination, asksOurs.destination) = (prefix, prefix)
        return [asksMain, asksOurs]
    }
}

extension RoutingRule {
    /// One of the two of a spread route.
    var isOfSpreadRoute: Bool {
        guard origin == SpreadRoute.origin, action == .table else { return false }
        let length = destination?.length ?? 0
        let asksMain = table == UInt32(RT_TABLE_MAIN.rawValue) && suppressedLength == Int32(length)
        return SpreadRoute.tables.contains(table) || asksMain && priority == SpreadRoute.priority(length)
    }

    /// As ip-rule(8) takes it away.
    fileprivate var removal: String {
        let place = table == UInt32(RT_TABLE_MAIN.rawValue) ? "main" : "\(table)"
        let prefix = destination.map { " to \($0)" } ?? ""
        return "ip -\(family == .ipv4 ? 4 : 6) rule del pref \(priority)\(prefix) lookup \(place) protocol \(origin)"
    }

    fileprivate func isSame(as other: RoutingRule) -> Bool {
        (family, priority, table, destination, suppressedLength)
            == (other.family, other.priority, other.table, other.destination, other.suppressedLength)
    }
}

extension NetlinkSocket {
    /// The spread routes that are there, by slot: those with a rule and a group of nexthops.
    public func spreadRoutes() throws(NetlinkError) -> [SpreadRoute] {
        let groups = Dictionary(
            try spreadObjects().map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let rules = try rules().filter(\.isOfSpreadRoute)
        var found: [SpreadRoute] = []
        for rule in rules where SpreadRoute.tables.contains(rule.table) {
            guard var route = Self.spreadRoute(rule, groups) else { continue }
            route.isWhole = try isWhole(route, rules)
            found.append(route)
        }
        return found.sorted { $0.slot < $1.slot }
    }

    private static func spreadRoute(_ rule: RoutingRule, _ groups: [UInt32: NexthopObject]) -> SpreadRoute? {
        let slot = Int(rule.table - SpreadRoute.firstTable)
        let family: IPAddress = rule.family == .ipv4 ? .v4(0) : .v6(high: 0, low: 0)
        guard let destination = rule.destination ?? IPPrefix(family, length: 0),
            let group = groups[SpreadRoute.firstObject + 16 * UInt32(slot)]?.group
        else { return nil }
        let paths = group.compactMap { member -> SpreadRoute.Path? in
            guard let hop = groups[member.id]?.nexthop else { return nil }
            let place = Int(member.id) - Int(SpreadRoute.firstObject) - 16 * slot - 1
            guard SpreadRoute.places.contains(place) else { return nil }
            return .init(
                place: place, interface: hop.interface ?? 0, gateway: hop.gateway, weight: Int(member.weight))
        }
        return paths.isEmpty ? nil : SpreadRoute(slot: slot, destination: destination, paths: paths)
    }

    private func isWhole(_ route: SpreadRoute, _ rules: [RoutingRule]) throws(NetlinkError) -> Bool {
        guard route.rules.allSatisfy({ rule in rules.contains { rule.isSame(as: $0) } }) else { return false }
        return try routes(route.family, table: route.table).contains {
            $0.destination == route.destination && $0.kind == .unicast && $0.nexthopObject == route.group
        }
    }

    /// Nexthop objects of ours.
    private func spreadObjects() throws(NetlinkError) -> [NexthopObject] {
        try dump(RTM_GETNEXTHOP, nhmsg(), "dump nexthop objects") { message in
            guard message.type == RTM_NEWNEXTHOP, let header = message.payload.value(nhmsg.self), header.nh_protocol == SpreadRoute.origin,
                let object = NexthopObject(netlink: message.payload), SpreadRoute.objects.contains(object.id)
            else { return nil }
            return object
        }
    }

    /// Makes a spread route, or changes one to other paths or weights in one step. What fails leaves no half of one: a new one is taken away.
    ///
    /// - Throws: EEXIST where one of our numbers is in use by someone else.
    public func put(_ route: SpreadRoute) throws(NetlinkError) {
        try refuseOthers(route)
        let isNew = try spreadRoutes().allSatisfy { $0.slot != route.slot }
        do throws(NetlinkError) {
            for path in route.paths { try putObject(route, path) }
            try putGroup(route)
            try putRoute(route)
            try putRules(route)
        } catch {
            if isNew { try remove(route) }
            throw error
        }
        // Paths that packets are sent over no more.
        let wanted = Set(route.paths.map { route.object($0.place) })
        for object in try spreadObjects() where object.id > route.group && object.id < route.group + 16 && !wanted.contains(object.id) {
            try removeObject(object.id)
        }
    }

    /// Takes a spread route away, whatever there is of it: its rules first.
    public func remove(_ route: SpreadRoute) throws(NetlinkError) {
        let destination = route.destination.length == 0 ? nil : route.destination
        for rule in try rules() where rule.isOfSpreadRoute && rule.family == route.family && rule.destination == destination {
            try removeRule(rule)
        }
        // The route goes with the group.
        let ids = try spreadObjects().map(\.id).filter { $0 >= route.group && $0 < route.group + 16 }
        for id in ids.sorted() { try removeObject(id) }
    }

    /// What there is of spread routes, in words; nothing: none.
    public func spreadRemains() throws(NetlinkError) -> [String] {
        let rules = try rules().filter(\.isOfSpreadRoute).filter { SpreadRoute.tables.contains($0.table) }
        let objects = try spreadObjects()
        let places = rules.map { "route to \($0.destination?.description ?? "everywhere")" }
        return places.isEmpty && !objects.isEmpty ? ["\(objects.count) nexthop objects"] : places
    }

    /// How a person would take it all away: what `removeSpreadRoutes` does, and nothing of others.
    public func spreadRemovals() throws(NetlinkError) -> [String] {
        try rules().filter(\.isOfSpreadRoute).map(\.removal) + spreadObjects().map(\.id).sorted().map { "ip nexthop del id \($0)" }
    }

    /// Takes all spread routes away.
    public func removeSpreadRoutes() throws(NetlinkError) {
        for rule in try rules() where rule.isOfSpreadRoute { try removeRule(rule) }
        for id in try spreadObjects().map(\.id).sorted() { try removeObject(id) }
    }

    // MARK: requests

    private func refuseOthers(_ route: SpreadRoute) throws(NetlinkError) {
        let ours = Set(try spreadObjects().map(\.id))
        let numbers = [route.group] + route.paths.map { route.object($0.place) }
        if let taken = try nexthopObjects().first(where: { numbers.contains($0.id) && !ours.contains($0.id) }) {
            throw NetlinkError("spread \(route.destination) over paths", code: EEXIST, detail: "nexthop \(taken.id) is not ours")
        }
    }

    private func putObject(_ route: SpreadRoute, _ path: SpreadRoute.Path) throws(NetlinkError) {
        var header = nhmsg()
        header.nh_family = route.family.rawValue
        header.nh_protocol = SpreadRoute.origin
        var attributes = [(NHA_ID, bytes(route.object(path.place))), (NHA_OIF, bytes(UInt32(bitPattern: path.interface)))]
        if let gateway = path.gateway { attributes.append((NHA_GATEWAY, gateway.netlinkBytes)) }
        let way = path.gateway.map { "through \($0)" } ?? "out of link \(path.interface)"
        try request(RTM_NEWNEXTHOP, flags: NLM_F_CREATE | NLM_F_REPLACE, header, attributes, "make the path \(way)")
    }

    private func putGroup(_ route: SpreadRoute) throws(NetlinkError) {
        var header = nhmsg()
        header.nh_protocol = SpreadRoute.origin
        var members: [UInt8] = []
        for path in route.paths {
            var member = nexthop_grp()
            member.id = route.object(path.place)
            member.weight = UInt8(path.weight - 1)
            members += bytes(member)
        }
        try request(
            RTM_NEWNEXTHOP, flags: NLM_F_CREATE | NLM_F_REPLACE, header, [(NHA_ID, bytes(route.group)), (NHA_GROUP, members)],
            "spread \(route.destination) over \(route.paths.count) paths")
    }

    private func putRoute(_ route: SpreadRoute) throws(NetlinkError) {
        var header = rtmsg()
        header.rtm_family = route.family.rawValue
        header.rtm_dst_len = UInt8(route.destination.length)
        header.rtm_protocol = SpreadRoute.origin
        header.rtm_scope = UInt8(RT_SCOPE_UNIVERSE.rawValue)
        header.rtm_type = UInt8(RTN_UNICAST)
        var attributes = [(Int(RTA_TABLE.rawValue), bytes(route.table)), (Int(RTA_NH_ID.rawValue), bytes(route.group))]
        if route.destination.length > 0 { attributes.append((Int(RTA_DST.rawValue), route.destination.address.netlinkBytes)) }
        try request(RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, header, attributes, "route \(route.destination)")
    }

    private func putRules(_ route: SpreadRoute) throws(NetlinkError) {
        let there = try rules().filter(\.isOfSpreadRoute)
        for rule in route.rules where !there.contains(where: { rule.isSame(as: $0) }) {
            let (header, attributes) = ruleRequest(rule)
            try request(
                RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, header, attributes, "make the rule for \(route.destination)")
        }
    }

    private func removeRule(_ rule: RoutingRule) throws(NetlinkError) {
        let (header, attributes) = ruleRequest(rule)
        do throws(NetlinkError) {
            try request(RTM_DELRULE, header, attributes, "remove rule \(rule.priority)")
        } catch  where error.code == ENOENT {}  // Somebody was faster.
    }

    private func ruleRequest(_ rule: RoutingRule) -> (fib_rule_hdr, [(type: Int, value: [UInt8])]) {
        var header = fib_rule_hdr()
        header.family = rule.family.rawValue
        header.action = rule.action.rawValue
        header.table = UInt8(rule.table < 256 ? rule.table : UInt32(RT_TABLE_COMPAT.rawValue))
        var attributes = [
            (FRA_PRIORITY, bytes(rule.priority)), (FRA_TABLE, bytes(rule.table)), (FRA_PROTOCOL, [SpreadRoute.origin]),
        ]
        if let destination = rule.destination {
            header.dst_len = UInt8(destination.length)
            attributes.append((FRA_DST, destination.address.netlinkBytes))
        }
        if rule.suppressedLength >= 0 { attributes.append((FRA_SUPPRESS_PREFIXLEN, bytes(rule.suppressedLength))) }
        return (header, attributes.map { (type: $0.0, value: $0.1) })
    }

    private func removeObject(_ id: UInt32) throws(NetlinkError) {
        do throws(NetlinkError) {
            try request(RTM_DELNEXTHOP, nhmsg(), [(NHA_ID, bytes(id))], "remove nexthop \(id)")
        } catch  where error.code == ENOENT {}  // It went with its group, or with its interface.
    }

    private func bytes<Value: BitwiseCopyable>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
}
