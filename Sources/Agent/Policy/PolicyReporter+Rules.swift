import Datapath
import Flows
import Netlink
import NetworkTypes
import Policy
import Reports

/// What each rule was asked to do and what it does.
extension PolicyReporter {
    func mirrors(_ rule: MirrorRule, _ names: InterfaceNames) -> [MirrorReport] {
        let places = keeper.book.tenants.filter { $0.key.kind == .mirror && $0.value.name == rule.name }.sorted {
            $0.value.part < $1.value.part
        }
        return places.enumerated().map { index, held in
            let (place, tenant) = held
            let namespace = follower.namespaces.values.first { $0.namespace.cookie == tenant.part }
            var report = MirrorReport(
                name: rule.name, namespace: namespace?.owner,
                interfaces: names.matching(rule.scope, namespaceCookie: tenant.part), direction: Self.text(rule.scope.direction),
                filter: "\(rule.scope.filter)", target: MirrorActuator.text(rule.target), selection: Self.text(rule.selection),
                snapLength: rule.snapLength, limit: Self.text(rule.limit ?? MirrorSession.standardLimit), priority: rule.priority,
                segmentation: rule.segmentation.rawValue)
            report.since = keeper.book.since[place]?.description
            switch rule.selection {
            case .all: break
            case .packets(let count): report.selectedOnePacketIn = count
            case .flows(let count): report.selectedOneFlowIn = count
            }
            switch rule.limit ?? MirrorSession.standardLimit {
            case .bits(let rate): report.limitBitsPerSecond = rate.bitsPerSecond
            case .packets(let rate): report.limitPacketsPerSecond = rate.packetsPerSecond
            case .unlimited: break
            }
            let session = keeper.mirrors.sessions[place]
            report.problem = problem(of: rule, session)
            if case .collector(_, let path)? = session?.target { report.pathMTU = path.mtu }
            guard let counts = try? keeper.mirrors.tables.counts(of: Int(place.index)) else { return report }
            Self.fill(&report, counts)
            // One thread writes for all sessions of a rule.
            if index == 0, let progress = captures?.progress(of: rule.name) { report.notWritten = progress.lost }
            if let rate = rates[Self.key("m", rule.name, report.namespace)] {
                (report.packetsPerSecond, report.bitsPerSecond) = (rate.packets, rate.bits)
            }
            return report
        }
    }

    private static func fill(_ report: inout MirrorReport, _ counts: MirrorCounts) {
        report.matched = counts.matched.skbs
        report.matchedPackets = counts.matched.wirePackets
        report.matchedBytes = counts.matched.wireBytes
        report.outranked = counts.outranked
        report.unselected = counts.unselected
        report.selected = counts.selected
        report.mirroredPackets = counts.mirroredPackets
        report.mirroredBytes = counts.mirroredBytes
        report.sent = counts.sent.skbs
        report.queued = counts.queued.skbs
        report.queuedPackets = counts.queued.wirePackets
        report.arrived = counts.arrivedPackets
        report.missing = counts.missing
        report.truncated = counts.truncated
        report.segmented = counts.segmented
        report.capped = counts.capped.skbs
        report.failed = Dictionary(uniqueKeysWithValues: counts.failed.map { ("\($0.key)", $0.value) })
        report.failedOnTheWay = counts.arrivedFailed
    }

    func sampler(_ rule: SampleRule, _ names: InterfaceNames) -> SampleReport? {
        guard let place = keeper.book.tenants.first(where: { $0.key.kind == .sampler && $0.value.name == rule.name })?.key else {
            return nil
        }
        var report = SampleReport(
            name: rule.name, namespace: nil, interfaces: names.matching(rule.scope), direction: Self.text(rule.scope.direction),
            filter: "\(rule.scope.filter)", asked: SampleActuator.text(rule.rate), firstPackets: rule.firstPackets,
            always: TCPFlags.names.filter { rule.always.contains($0.1) }.map(\.0), snapLength: rule.snapLength)
        switch rule.rate {
        case .oneIn(let count): report.askedOneIn = count
        case .samplesPerSecond(let rate): report.askedSamplesPerSecond = rate
        case .cpu(let part): report.askedCPUPercent = part * 100
        case .none: break
        }
        let number = Int(place.index)
        let counters = keeper.samples.tables.counters(of: number)
        report.since = keeper.book.since[place]?.description
        report.oneIn = keeper.samples.tables[number].oneIn
        Self.fill(&report, counters)
        report.samplesPerSecond = keeper.samples.ratesPerSecond[number]
        report.problem = collectorProblem()
        return report
    }

    private static func fill(_ report: inout SampleReport, _ counters: SamplerCounters) {
        report.pool = counters.packets
        report.hits = counters.hits
        report.samples = ["random": counters.random, "first": counters.first, "flag": counters.flags]
        report.lost = counters.ringFull + counters.unreadable
        report.ringFull = counters.ringFull
        report.unreadable = counters.unreadable
        report.lostHits = counters.lostHits
    }

    func shapers(_ declared: ShapeRule, _ names: InterfaceNames, _ leaves: LeafCounters) -> [ShapeReport] {
        let rule = keeper.allocations.applied(to: declared)
        return decisions(of: rule).map { name, decision in
            var report = ShapeReport(
                name: rule.name, namespace: follower.place(of: name.interface)?.namespace.owner,
                interfaces: [names.name(name.interface)], direction: "\(name.direction)", filter: "\(rule.scope.filter)",
                parent: rule.parent, mechanism: decision.mechanism == .auto ? "none" : decision.mechanism.rawValue, priority: rule.priority,
                per: Self.text(rule.aggregation))
            report.rateBitsPerSecond = rule.rate?.bitsPerSecond
            let capacity = keeper.policy.links.first {
                $0.interface == names.name(name.interface) || names.name(name.interface).hasSuffix(":\($0.interface)")
            }?.capacity
            let isCapped = rule.isCappedByItsRate(onLinkOfKnownCapacity: decision.mechanism == .htb && capacity != nil)
            report.ceilingBitsPerSecond = (rule.ceiling ?? (isCapped ? rule.rate : nil))?.bitsPerSecond
            report.burstBytes = rule.burst?.rawValue
            report.overheadBytes = rule.overhead
            report.problem = decision.shortfall
            report.dscp = rule.dscp.map { DSCPName.of($0) ?? String($0) }
            if case .htb(let first, let count) = decision.shaper.action {
                Self.fill(&report, decision, first: first, count: count)
                if let leaves = leaves[name.interface] {
                    let own = (Int(first)..<Int(first) + max(1, count)).compactMap { leaves[UInt16($0)] }
                    report.sentPackets = own.reduce(0) { $0 + $1.packets }
                    report.sentBytes = own.reduce(0) { $0 + $1.bytes }
                    report.queueDrops = own.reduce(0) { $0 + UInt64($1.drops) }
                    report.backlogBytes = own.reduce(0) { $0 + UInt64($1.backlog) }
                }
            }
            guard let counters = keeper.shapes.tables.counters(name) else { return report }
            Self.fill(&report, counters)
            report.bitsPerSecond = rates[Self.key("s", rule.name, report.interfaces.first)]?.bits
            return report
        }
    }

    private static func fill(_ report: inout ShapeReport, _ decision: ShapePlan.Decision, first: UInt16, count: Int) {
        func text(_ minor: UInt16) -> String { "\(String(HTBTree.major, radix: 16)):\(String(minor, radix: 16))" }
        report.classID = decision.ownClass.map(text)
        if decision.ownClass != first {
            report.leafClassIDs = count > 1 ? "\(text(first))-\(text(first + UInt16(count) - 1))" : text(first)
        }
    }

    /// What our classes have sent, dropped and hold, by interface and minor number.
    typealias LeafCounters = [InterfaceID: [UInt16: QdiscCounters]]

    /// Asks the kernel; of interfaces whose classes cannot be read nothing.
    func leafCounters() -> LeafCounters {
        var leaves: LeafCounters = [:]
        for (name, decision) in keeper.shapes.decisions where leaves[name.interface] == nil {
            guard case .htb = decision.shaper.action, let place = follower.place(of: name.interface),
                let classes = try? place.namespace.socket.classes(of: place.index)
            else { continue }
            leaves[name.interface] = Dictionary(
                classes.filter(\.isOurs).map { ($0.parameters.minor, $0.counters) }, uniquingKeysWith: { first, _ in first })
        }
        return leaves
    }

    /// How many classes of rules there are.
    var leafCount: Int {
        keeper.shapes.decisions.values.reduce(0) { sum, decision in
            guard case .htb(_, let count) = decision.shaper.action else { return sum }
            return sum + max(1, Int(count))
        }
    }

    private func decisions(of rule: ShapeRule) -> [(key: ShaperName, value: ShapePlan.Decision)] {
        keeper.shapes.decisions.filter { $0.key.rule == rule.name }
            .sorted { ($0.key.interface, $0.key.direction.rawValue) < ($1.key.interface, $1.key.direction.rawValue) }
    }

    private static func fill(_ report: inout ShapeReport, _ counters: ShaperCounters) {
        report.packets = counters.packets
        report.bytes = counters.bytes
        report.droppedPackets = counters.droppedPackets
        report.droppedBytes = counters.droppedBytes
        report.marked = counters.markedPackets
        for failure in ShaperCounters.Failure.allCases where counters[failure] > 0 { report.exceptions["\(failure)"] = counters[failure] }
    }

    /// Of a rule whose prefixes have buckets.
    func prefixes(of rule: ShapeRule, _ names: InterfaceNames) -> [RuleReport.Prefix] {
        decisions(of: rule).flatMap { name, _ in
            keeper.shapes.tables.members(name).map { member, counters in
                RuleReport.Prefix(
                    interface: names.name(name.interface), direction: "\(name.direction)", prefix: "\(member.prefix)",
                    rateBitsPerSecond: member.rate.bitsPerSecond, packets: counters.packets, bytes: counters.bytes,
                    droppedPackets: counters.droppedPackets, droppedBytes: counters.droppedBytes)
            }
        }
    }

    // MARK: An earlier agent's

    /// A capture that ended with the agent whose client it was for.
    func isOver(_ tenant: RuleBook.Tenant) -> Bool {
        MirrorRule.isCapture(named: tenant.name) && !keeper.guests.contains { $0.name == tenant.name }
    }

    /// Rules that act in the kernel while the files are refused: what the pinned tables tell of them.
    func addEarlier(to report: inout PolicyReport) {
        let reason = keeper.problem?.split(separator: "\n").first.map { "its files are refused: \($0)" } ?? "its files are not in force yet"
        let problem = "of an earlier agent; \(reason)"
        for (place, tenant) in keeper.book.tenants.sorted(by: { $0.key.index < $1.key.index }) where !isOver(tenant) {
            let since = keeper.book.since[place]?.description
            switch place.kind {
            case .mirror:
                var one = MirrorReport(
                    name: tenant.name, namespace: follower.namespaces.values.first { $0.namespace.cookie == tenant.part }?.owner,
                    interfaces: [], direction: nil, filter: "?", target: "?", selection: "?", snapLength: nil, limit: nil, priority: 0,
                    segmentation: "?")
                if let counts = try? keeper.mirrors.tables.counts(of: Int(place.index)) { Self.fill(&one, counts) }
                (one.problem, one.since) = (problem, since)
                report.mirrors.append(one)
            case .sampler:
                let there = keeper.samples.tables[Int(place.index)]
                var one = SampleReport(
                    name: tenant.name, namespace: nil, interfaces: [], direction: nil, filter: "?", asked: "?",
                    firstPackets: there.firstPackets, always: TCPFlags.names.filter { there.always.contains($0.1) }.map(\.0),
                    snapLength: there.snapLength)
                one.oneIn = there.oneIn
                Self.fill(&one, keeper.samples.tables.counters(of: Int(place.index)))
                (one.problem, one.since) = (problem, since)
                report.samplers.append(one)
            case .shaper: break
            }
        }
        for (number, counters) in keeper.shapes.tables.earlier {
            var one = ShapeReport(
                name: "#\(number)", namespace: nil, interfaces: [], direction: nil, filter: "?", parent: nil, mechanism: "?", priority: 0,
                per: "?")
            Self.fill(&one, counters)
            one.problem = problem
            report.shapers.append(one)
        }
    }

    // MARK: Words

    private static func text(_ direction: Direction?) -> String? { direction.map { $0 == .ingress ? "ingress" : "egress" } }

    private static func text(_ selection: MirrorRule.Selection) -> String {
        switch selection {
        case .all: "all"
        case .packets(let n): "1 packet in \(n)"
        case .flows(let n): "1 flow in \(n)"
        }
    }

    private static func text(_ limit: MirrorRule.Limit) -> String? {
        switch limit {
        case .bits(let rate): rate.description
        case .packets(let rate): rate.description
        case .unlimited: nil
        }
    }

    private static func text(_ aggregation: ShapeRule.Aggregation) -> String {
        switch aggregation {
        case .aggregate: "aggregate"
        case .host(.source): "host source"
        case .host(.destination): "host destination"
        case .host(.either): "host"
        case .flow: "flow"
        case .prefixes(_, let list): "\(list.count) prefixes"
        }
    }
}
