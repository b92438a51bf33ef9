import NetworkTypes

/// Turns samples and counters into sFlow datagrams (Phaal and Lavine, "sFlow Version 5", sflow.org, July 2004) for one collector: numbering,
/// splitting.
///
/// Pure: the caller gives the time and sends what comes back, one datagram each over UDP. Samples are to be sent within a second (section 5.1).
public struct SFlowExporter: Sendable {
    public struct Configuration: Hashable, Sendable {
        /// The address that the collector knows the agent by, whatever address it sends from.
        public var agent: IPAddress
        public var subAgent: UInt32 = 0
        /// Bytes a datagram may have, without UDP and IP headers; at least 576.
        public var datagramBound = 1400
        /// Header bytes of a packet that are told at most; what does not fit a datagram is cut off in any case.
        public var headerBytes = 128
        /// Interface indices of 2^24 and more can occur: all samples are told in the expanded form then (section 5.3).
        public var isExpanded = false

        public init(agent: IPAddress) { self.agent = agent }
    }

    public let configuration: Configuration
    /// Datagrams made.
    public private(set) var datagramCount: UInt32 = 0
    public private(set) var flowSamples: UInt64 = 0
    public private(set) var counterSamples: UInt64 = 0
    /// Of each source, by kind.
    private var flowSequence: [UInt32: UInt32] = [:]
    private var counterSequence: [UInt32: UInt32] = [:]
    private var datagram = DatagramWriter()
    private var finished: [[UInt8]] = []

    public init(_ configuration: Configuration) {
        precondition(configuration.datagramBound >= 576, "datagram bound \(configuration.datagramBound)")
        self.configuration = configuration
    }

    /// Adds a packet; one sample for each of its hits, whose bytes add up to the hits' part of the whole.
    /// - Parameters:
    ///   - header: the frame's first bytes.
    ///   - uptime: of the agent.
    public mutating func append(_ sample: FlowSample, header: UnsafeRawBufferPointer, uptime: Duration) {
        let fixed = configuration.isExpanded ? 52 : 40
        let tag = sample.vlan == nil ? 0 : 24
        let room = configuration.datagramBound - DatagramWriter.headerBytes(configuration.agent) - fixed - 24 - tag
        let header = UnsafeRawBufferPointer(rebasing: header.prefix(min(configuration.headerBytes, room & ~3)))
        let padded = (header.count + 3) & ~3
        for hit in 0..<UInt64(sample.hits) {
            let bytes = UInt64(sample.wireBytes)
            let packets = UInt64(max(1, sample.wirePackets))
            // The remainders of the division are spread over the hits.
            let share = (hit + 1) * bytes / packets - hit * bytes / packets
            begin(room: fixed + 24 + padded + tag, uptime: uptime)
            datagram.put(UInt32(configuration.isExpanded ? 3 : 1))
            datagram.put(UInt32(fixed - 8 + 24 + padded + tag))
            flowSequence[sample.source, default: 0] &+= 1
            flowSamples += 1
            datagram.put(flowSequence[sample.source]!)
            putSource(sample.source)
            datagram.put(sample.samplingRate)
            datagram.put(UInt32(truncatingIfNeeded: sample.pool))
            datagram.put(sample.drops)
            put(sample.input)
            put(sample.output)
            datagram.put(UInt32(tag == 0 ? 1 : 2))
            put(header, padded: padded, of: sample, frameBytes: UInt32(share))
            if let vlan = sample.vlan { putSwitch(vlan) }
        }
    }

    public mutating func append(_ sample: FlowSample, header: [UInt8], uptime: Duration) {
        header.withUnsafeBytes { append(sample, header: $0, uptime: uptime) }
    }

    /// Adds the counters of an interface.
    public mutating func append(_ counters: InterfaceCounterSample, uptime: Duration) {
        let fixed = configuration.isExpanded ? 24 : 20
        begin(room: fixed + 96, uptime: uptime)
        datagram.put(UInt32(configuration.isExpanded ? 4 : 2))
        datagram.put(UInt32(fixed - 8 + 96))
        counterSequence[counters.index, default: 0] &+= 1
        counterSamples += 1
        datagram.put(counterSequence[counters.index]!)
        putSource(counters.index)
        datagram.put(UInt32(1))
        datagram.put(UInt32(1))
        datagram.put(UInt32(88))
        put(counters)
    }

    /// The datagrams to send now, the last one as full as it is.
    public mutating func takeDatagrams() -> [[UInt8]] {
        if let last = datagram.finish() { finished.append(last) }
        defer { finished.removeAll(keepingCapacity: true) }
        return finished
    }

    /// The datagrams that nothing more fits in.
    public mutating func takeFullDatagrams() -> [[UInt8]] {
        defer { finished.removeAll(keepingCapacity: true) }
        return finished
    }

    private mutating func begin(room: Int, uptime: Duration) {
        if datagram.isOpen, datagram.count + room > configuration.datagramBound, let full = datagram.finish() { finished.append(full) }
        if !datagram.isOpen {
            datagramCount &+= 1
            datagram.open(
                agent: configuration.agent, subAgent: configuration.subAgent, sequence: datagramCount,
                milliseconds: UInt32(truncatingIfNeeded: Int64(uptime / .milliseconds(1))), reserving: configuration.datagramBound)
        }
        datagram.countSample()
    }

    /// Type 0: an interface index.
    private mutating func putSource(_ index: UInt32) {
        if configuration.isExpanded {
            datagram.put(UInt32(0))
            datagram.put(index)
        } else {
            precondition(index < 1 << 24, "interface index \(index) needs the expanded form")
            datagram.put(index)
        }
    }

    /// Format 0: an index, where 0 is unknown and 2^30 - 1 the host itself.
    private mutating func put(_ port: FlowSample.Port) {
        let value: UInt32 =
            switch port {
            case .unknown: 0
            case .index(let index): index
            case .local: 0x3FFF_FFFF
            }
        if configuration.isExpanded { datagram.put(UInt32(0)) }
        datagram.put(value)
    }

    /// Sampled header (enterprise 0, format 1). Lengths count the FCS of an Ethernet frame, which is stripped as the tags are.
    private mutating func put(_ header: UnsafeRawBufferPointer, padded: Int, of sample: FlowSample, frameBytes: UInt32) {
        let checksum: UInt32 = sample.framing == .ethernet ? 4 : 0
        datagram.put(UInt32(1))
        datagram.put(UInt32(16 + padded))
        datagram.put(sample.framing.rawValue)
        datagram.put(frameBytes + checksum)
        datagram.put(sample.strippedTagBytes + checksum)
        datagram.put(UInt32(header.count))
        datagram.put(bytes: header, padded: padded)
    }

    /// Extended switch data (enterprise 0, format 1001). A host does not change tags; priorities are not known here.
    private mutating func putSwitch(_ vlan: UInt16) {
        datagram.put(UInt32(1001))
        datagram.put(UInt32(16))
        for value in [UInt32(vlan), 0, UInt32(vlan), 0] { datagram.put(value) }
    }

    private mutating func put(_ counters: InterfaceCounterSample) {
        func narrow(_ count: UInt64?) -> UInt32 { count.map { UInt32(truncatingIfNeeded: $0) } ?? .max }
        datagram.put(counters.index)
        datagram.put(counters.type)
        datagram.put(counters.speed)
        datagram.put(counters.duplex)
        datagram.put(UInt32(counters.isAdministrativelyUp ? 1 : 0) | UInt32(counters.isOperational ? 2 : 0))
        for (counts, hasUnknownProtocols) in [(counters.received, true), (counters.sent, false)] {
            datagram.put(counts.octets)
            for count in [counts.unicast, counts.multicast, counts.broadcast, counts.discards, counts.errors] {
                datagram.put(narrow(count))
            }
            if hasUnknownProtocols { datagram.put(UInt32.max) }
        }
        datagram.put(UInt32(counters.isPromiscuous ? 1 : 2))
    }
}
