import NetworkTypes
import PathComputation

/// What changes would do: `GET /v1/topology/whatif`. Rates are offered rates, bit/s; of links in frames as interfaces count them, of flows in
/// IP packets.
public struct WhatIfAnswerReport: Codable, Hashable, Sendable {
    /// RFC 3339: when the traffic was measured.
    public var at: String
    public var epoch: UInt64
    /// As they were asked for.
    public var changes: [String]
    /// What the changes bring with them, in words, in order.
    public var consequences: [String]
    public var before: Overview
    public var after: Overview
    /// Of every interface and direction with traffic before or after.
    public var links: [LinkLoad]
    /// Links of ``links`` that come to be utilised beyond nine tenths, the fullest first; `NODE:NAME DIRECTION`.
    public var newBottlenecks: [String]
    public var relieved: [String]
    /// To which something happens, those that lose most first; at most 1,000.
    public var flows: [Flow]
    /// Of all flows, by fate.
    public var counts: [String: Int]
    /// Measured, and in none of the numbers.
    public var unplaced: [Unplaced]
    /// What was taken to be so because nobody told, in words.
    public var suppositions: [String]

    public struct Overview: Codable, Hashable, Sendable {
        public var demands: Int
        public var offeredBitsPerSecond: Double
        /// Of what is offered, what has a way to its destination.
        public var deliveredBitsPerSecond: Double
        /// The fullest interface, `NODE:NAME`; nil where no capacity is known.
        public var tightest: String?
        /// 1: full.
        public var utilisation: Double?
        /// By what factor all traffic can grow until the first link is full.
        public var headroom: Double?
    }

    public struct LinkLoad: Codable, Hashable, Sendable {
        public var node: String
        public var name: String
        /// `egress` or `ingress`.
        public var direction: String
        public var before: Side
        public var after: Side
        /// Flows that spread over several ways are part of it: right for many, not for one.
        public var isExpectation: Bool

        public struct Side: Codable, Hashable, Sendable {
            public var bitsPerSecond: Double
            public var capacityBitsPerSecond: Double?
            public var utilisation: Double?
        }

        public var title: String { "\(node):\(name) \(direction)" }
    }

    public struct Flow: Codable, Hashable, Sendable {
        /// `cut-off`, `unreachable`, `restored`, `rerouted` or `changed`.
        public var fate: String
        /// Where it starts.
        public var node: String
        /// At which interface it comes in from beyond the network, `NODE:NAME`.
        public var entry: String?
        public var source: String?
        public var destination: String
        public var `protocol`: String
        public var sourcePort: Int?
        public var destinationPort: Int?
        public var application: String?
        public var before: Side
        public var after: Side

        public struct Side: Codable, Hashable, Sendable {
            public var bitsPerSecond: Double
            /// The part that arrives, 0…1.
            public var delivered: Double
            public var paths: [Path]
        }

        public struct Path: Codable, Hashable, Sendable {
            /// Interfaces in order, `NODE:NAME`.
            public var hops: [String]
            /// The part of the flow that is expected to go here.
            public var share: Double
            /// How it ends, in words.
            public var outcome: String
            public var isDelivered: Bool
            public var notes: [String]
        }
    }

    public struct Unplaced: Codable, Hashable, Sendable {
        /// Key of the link of communication.
        public var link: String
        public var isForward: Bool
        public var bitsPerSecond: Double
        /// `group`, `folded` or `foreign`.
        public var reason: String
    }

    public init(_ report: WhatIfReport, at: Timestamp, epoch: UInt64) {
        self.at = at.description
        self.epoch = epoch
        changes = report.changes
        consequences = report.consequences
        before = Overview(report.before)
        after = Overview(report.after)
        links = report.links.map(LinkLoad.init)
        newBottlenecks = report.newBottlenecks.map { LinkLoad($0).title }
        relieved = report.relieved.map { LinkLoad($0).title }
        flows = report.flows.map(Flow.init)
        counts = [
            WhatIfReport.Fate.cutOff.rawValue: report.counts.cutOff, WhatIfReport.Fate.unreachable.rawValue: report.counts.unreachable,
            WhatIfReport.Fate.restored.rawValue: report.counts.restored, WhatIfReport.Fate.rerouted.rawValue: report.counts.rerouted,
            WhatIfReport.Fate.changed.rawValue: report.counts.changed,
        ]
        unplaced = report.unplaced.map {
            Unplaced(link: $0.link, isForward: $0.isForward, bitsPerSecond: $0.rate.bitsPerSecond, reason: "\($0.reason)")
        }
        suppositions = report.suppositions
    }
}

extension WhatIfAnswerReport.Overview {
    init(_ overview: WhatIfReport.Overview) {
        self.init(
            demands: overview.demands, offeredBitsPerSecond: overview.offered.bitsPerSecond,
            deliveredBitsPerSecond: overview.delivered.bitsPerSecond, tightest: overview.tightest, utilisation: overview.utilisation,
            headroom: overview.headroom)
    }
}

extension WhatIfAnswerReport.LinkLoad {
    init(_ link: WhatIfReport.Link) {
        func side(_ side: WhatIfReport.Link.Side) -> Side {
            Side(
                bitsPerSecond: side.rate.bitsPerSecond, capacityBitsPerSecond: side.capacity?.bitsPerSecond, utilisation: side.utilisation)
        }
        self.init(
            node: link.node, name: link.name, direction: "\(link.direction)", before: side(link.before), after: side(link.after),
            isExpectation: link.isExpectation)
    }
}

extension WhatIfAnswerReport.Flow {
    init(_ flow: WhatIfReport.Flow) {
        func side(_ side: WhatIfReport.Flow.Side) -> Side {
            Side(
                bitsPerSecond: side.rate.bitsPerSecond, delivered: side.delivered,
                paths: side.paths.map {
                    Path(hops: $0.hops, share: $0.share, outcome: $0.outcome, isDelivered: $0.isDelivered, notes: $0.notes)
                })
        }
        self.init(
            fate: flow.fate.rawValue, node: flow.node, entry: flow.entry, source: flow.source?.description,
            destination: flow.destination.description, protocol: flow.transport.description,
            sourcePort: flow.sourcePort == 0 ? nil : Int(flow.sourcePort),
            destinationPort: flow.destinationPort == 0 ? nil : Int(flow.destinationPort), application: flow.application,
            before: side(flow.before), after: side(flow.after))
    }
}
