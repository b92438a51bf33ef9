import Flows
import NetworkTypes

/// Turns flows into IPFIX messages (RFC 7011) for one collector: when templates are due, numbering, splitting, its own statistics.
///
/// Pure: the caller gives the time, and sends what comes back in order, one message a datagram over UDP, one after the other over TCP.
/// The sequence number counts data records (option records included) of one transport session.
public struct IPFIXExporter: Sendable {
    public struct Configuration: Hashable, Sendable {
        public var observationDomain: UInt32 = 1
        public var transport: Transport = .udp
        /// Bytes a message may have, without UDP and IP headers; at least 576, at most 65,535.
        public var messageBound: Int = 1400
        /// Over UDP templates are said again after this time, and after this many messages, whichever comes first
        /// (RFC 7011 section 8.4 leaves the numbers to us; collectors forget templates after 30 minutes or so).
        public var templateInterval: Duration = .seconds(60)
        public var templateMessages: UInt32 = 256
        public var statisticsInterval: Duration = .seconds(60)
        public var tunnel: TunnelView = .both

        public init() {}
    }

    public enum Transport: String, Hashable, Sendable, CaseIterable { case udp, tcp }

    /// How packets were chosen (selectorAlgorithm 1, systematic count-based, RFC 5477): of every `interval + space` packets `interval`.
    public struct Sampling: Hashable, Sendable {
        public var interval: UInt32
        public var space: UInt32
        public init(interval: UInt32, space: UInt32) {
            self.interval = interval
            self.space = space
        }
        /// Accounting takes every packet.
        public static let everyPacket = Sampling(interval: 1, space: 0)
    }

    /// A name to go with an observation point.
    public struct Interface: Hashable, Sendable {
        public var identity: InterfaceID
        public var index: UInt32
        public var name: String
        public init(identity: InterfaceID, index: UInt32, name: String) {
            self.identity = identity
            self.index = index
            self.name = name
        }
    }

    public let configuration: Configuration
    /// Data records of this session.
    public private(set) var sequence: UInt32 = 0
    public private(set) var exportedMessages: UInt64 = 0
    public private(set) var exportedRecords: UInt64 = 0
    public private(set) var exportedOctets: UInt64 = 0
    /// The caller adds to these what it could not deliver, and the ledger's overflow.
    public var losses = ExportLosses()
    public var sampling = Sampling.everyPacket
    /// Said with the templates.
    public var interfaces: [Interface] = []

    private var templatesSent: Timestamp?
    private var messagesSinceTemplates: UInt32 = 0
    private var statisticsSent: Timestamp?

    public init(_ configuration: Configuration = Configuration()) {
        precondition((576...65_535).contains(configuration.messageBound), "message bound \(configuration.messageBound)")
        self.configuration = configuration
    }

    /// A new TCP connection, or a collector that was unreachable: numbering starts again and templates are due.
    public mutating func sessionStarted() {
        sequence = 0
        templatesSent = nil
        messagesSinceTemplates = 0
        statisticsSent = nil
    }

    /// The messages to send now: templates where they are due, statistics where they are due, then the flows. Empty when nothing is due.
    public mutating func messages(for flows: some Sequence<ExportedFlow>, at now: Timestamp) -> [ExportedMessage] {
        var writer = MessageWriter(
            domain: configuration.observationDomain, exportSeconds: UInt32(clamping: now.nanoseconds / 1_000_000_000), sequence: sequence,
            bound: configuration.messageBound)
        let templatesDue = templatesAreDue(now)
        if templatesDue {
            writer.templates(RecordShape.allCases)
            writer.optionsTemplates()
            putSampling(&writer)
            putInterfaces(&writer)
            templatesSent = now
        }
        if templatesDue || statisticsSent.map({ now - $0 >= configuration.statisticsInterval || now < $0 }) ?? true {
            putStatistics(&writer)
            statisticsSent = now
        }
        var byShape: [RecordShape: [ExportedFlow]] = [:]
        for flow in flows { byShape[RecordShape(flow.key, tunnel: configuration.tunnel), default: []].append(flow) }
        var count: UInt64 = 0
        for shape in RecordShape.allCases {
            let length = shape.length
            for flow in byShape[shape] ?? [] {
                writer.append(flow, shape: shape, length: length)
                count += 1
            }
        }
        let messages = writer.finish()
        sequence = writer.records
        exportedRecords += count
        exportedMessages += UInt64(messages.count)
        exportedOctets += messages.reduce(0) { $0 + UInt64($1.bytes.count) }
        messagesSinceTemplates = (templatesDue ? 0 : messagesSinceTemplates) &+ UInt32(messages.count)
        return messages
    }

    /// A clock that was set back makes templates due too.
    private func templatesAreDue(_ now: Timestamp) -> Bool {
        guard let sent = templatesSent else { return true }
        guard configuration.transport == .udp else { return false }
        return now < sent || now - sent >= configuration.templateInterval || messagesSinceTemplates >= configuration.templateMessages
    }

    private func putStatistics(_ writer: inout MessageWriter) {
        let shape = OptionsShape.statistics
        writer.begin(set: shape.rawValue, room: shape.fields.reduce(0) { $0 + Int($1.length) })
        writer.countRecord()
        writer.put(configuration.observationDomain)
        for value in [
            exportedMessages, exportedRecords, exportedOctets, losses.notSentFlows, losses.notSentPackets, losses.notSentOctets,
            losses.ignoredPackets, losses.ignoredOctets,
        ] {
            writer.put(value)
        }
    }

    private func putSampling(_ writer: inout MessageWriter) {
        let shape = OptionsShape.sampling
        writer.begin(set: shape.rawValue, room: shape.fields.reduce(0) { $0 + Int($1.length) })
        writer.countRecord()
        writer.put(UInt64(1))
        writer.put(UInt16(1))
        writer.put(sampling.interval)
        writer.put(sampling.space)
    }

    private func putInterfaces(_ writer: inout MessageWriter) {
        for interface in interfaces {
            // IFNAMSIZ bounds a kernel's name to 15 bytes; what is longer is cut, so that a record always fits.
            let name = String(decoding: interface.name.utf8.prefix(200), as: UTF8.self)
            writer.begin(set: OptionsShape.interfaces.rawValue, room: 8 + 4 + 3 + name.utf8.count)
            writer.countRecord()
            writer.put(UInt64(interface.identity.rawValue))
            writer.put(interface.index)
            writer.put(text: name)
        }
    }
}
