import CNDPI
import Dissection
import Flows
import NetworkTypes

/// Tells applications and names from the first packets of conversations. Not for several threads at a time.
///
/// A conversation is both directions of a five-tuple (the inner one of VXLAN), seen on the interface that its first packet came from: the same
/// packet on a second interface is not looked at again. The number of conversations is bounded: of too many, those that were longest silent
/// get their verdict early, which is counted. Time is what the packets say, so that a capture can be replayed at any speed.
public final class Classifier {
    private final class Pending {
        let flow: DetectionModule.Flow
        let interface: UInt32
        let isFromLowerEnd: Bool
        var lastSeen: UInt64
        var packets: UInt8 = 0
        var isAnnounced = false
        var serverName: String?

        init(_ flow: DetectionModule.Flow, _ interface: UInt32, _ isFromLowerEnd: Bool, _ time: UInt64) {
            self.flow = flow
            self.interface = interface
            self.isFromLowerEnd = isFromLowerEnd
            lastSeen = time
        }
    }

    public let limits: ClassifierLimits
    public private(set) var counters = ClassifierCounters()
    /// What was found and not yet taken.
    private var findings: [Finding] = []
    private let module: DetectionModule
    private let image = PacketImage()
    private var pending: RecencyTable<Conversation, Pending>
    /// Conversations with a verdict, and when their last packet came.
    private var decided: RecencyTable<Conversation, UInt64>

    /// Takes a tenth of a second and some megabytes.
    public init(_ limits: ClassifierLimits = ClassifierLimits()) throws(ApplicationsError) {
        self.limits = limits
        module = try DetectionModule()
        pending = RecencyTable(capacity: limits.pending)
        decided = RecencyTable(capacity: limits.decided)
    }

    deinit { while let entry = pending.removeOldest() { module.free(entry.value.flow) } }

    /// Conversations without a final verdict.
    public var pendingCount: Int { pending.count }

    /// Everything found since the last call, in order.
    public func takeFindings() -> [Finding] {
        defer { findings.removeAll(keepingCapacity: true) }
        return findings
    }

    /// Looks at one packet.
    /// - Parameter packet: from where the note's layer says on; it may be cut off anywhere.
    public func feed(_ packet: ArraySlice<UInt8>, _ note: PacketNote) {
        counters.packets += 1
        guard let headers = FrameHeaders(packet, layer: note.layer) else {
            counters.unreadable += 1
            return
        }
        if headers.etherType == FrameHeaders.lldp {
            if let neighbour = LLDPNeighbour(packet.dropFirst(headers.networkOffset)) {
                findings.append(.neighbour(neighbour, interface: note.interface))
            } else {
                counters.unreadable += 1
            }
            return
        }
        guard let tuple = headers.tuple, let conversation = Conversation(tuple, vni: headers.vni, network: note.network) else {
            counters.withoutConversation += 1
            return
        }
        learnNames(packet, headers, tuple, note)
        classify(packet, headers, tuple, conversation, note)
    }

    /// Gives the verdict on conversations that were silent for `limits.idle`.
    public func sweep(now: UInt64) {
        while let oldest = pending.oldestEntry, oldest.value.lastSeen &+ limits.idle < now { finish(oldest.key, oldest.value) }
    }

    /// Gives the verdict on all conversations: no more packets will come.
    public func finishAll() {
        while let oldest = pending.oldestEntry { finish(oldest.key, oldest.value) }
    }

    private static let dnsPorts: Set<UInt16> = [53, 5353, 5355]

    private func learnNames(_ packet: ArraySlice<UInt8>, _ headers: FrameHeaders, _ tuple: FlowTuple, _ note: PacketNote) {
        guard tuple.protocol == .udp, Self.dnsPorts.contains(tuple.sourcePort), let offset = headers.payloadOffset,
            let answers = DNSAnswers(packet.dropFirst(offset))
        else { return }
        if answers.isPartial { counters.partialAnswers += 1 }
        for address in answers.addresses { findings.append(.name(address, network: note.network)) }
    }

    private func classify(
        _ packet: ArraySlice<UInt8>, _ headers: FrameHeaders, _ tuple: FlowTuple, _ conversation: Conversation, _ note: PacketNote
    ) {
        if let lastSeen = decided.use(conversation) {
            // A SYN without ACK begins another connection between the same ports; of UDP, silence does.
            let isNew = headers.tcpFlags & 0x12 == 0x02 || lastSeen &+ limits.forget < note.time
            guard isNew else {
                counters.afterVerdict += 1
                decided.set(conversation, note.time)
                return
            }
            decided.remove(conversation)
        }
        guard let entry = pending.use(conversation) ?? begin(conversation, tuple, note) else {
            counters.noMemory += 1
            return
        }
        guard entry.interface == note.interface else {
            counters.elsewhere += 1
            return
        }
        entry.lastSeen = note.time
        guard let bytes = image.make(packet, headers, limits.completion) else {
            counters.unreadable += 1
            return
        }
        if entry.serverName == nil, tuple.protocol == .tcp, let offset = headers.payloadOffset {
            entry.serverName = TLSClientHello.serverName(packet.dropFirst(offset))
        }
        counters.inspected += 1
        entry.packets += 1
        let found = module.process(entry.flow, bytes, time: note.time)
        let isKnown = found.app_protocol != 0
        if entry.packets >= limits.packets || isKnown && !module.wantsMore(entry.flow) {
            finish(conversation, entry)
        } else if isKnown && !entry.isAnnounced {
            entry.isAnnounced = true
            findings.append(.application(verdict(conversation, entry, found, isFinal: false)))
        }
    }

    private func begin(_ conversation: Conversation, _ tuple: FlowTuple, _ note: PacketNote) -> Pending? {
        guard let flow = module.makeFlow() else { return nil }
        if pending.count >= limits.pending, let oldest = pending.oldestEntry {
            counters.evicted += 1
            finish(oldest.key, oldest.value)
        }
        let entry = Pending(flow, note.interface, conversation.isFromLowerEnd(tuple), note.time)
        pending.set(conversation, entry)
        counters.conversations += 1
        return entry
    }

    private func finish(_ conversation: Conversation, _ entry: Pending) {
        pending.remove(conversation)
        let verdict = verdict(conversation, entry, module.giveUp(entry.flow), isFinal: true)
        module.free(entry.flow)
        counters.count(verdict)
        findings.append(.application(verdict))
        if decided.set(conversation, entry.lastSeen) != nil { counters.forgotten += 1 }
    }

    private func verdict(_ conversation: Conversation, _ entry: Pending, _ found: ndpi_protocol, isFinal: Bool) -> ApplicationVerdict {
        var (master, application) = (found.master_protocol, found.app_protocol)
        let tls = UInt16(NDPI_PROTOCOL_TLS.rawValue)
        // The name was in what was captured, but nDPI waits for the rest of the message.
        if let name = entry.serverName, master == 0, application == tls || application == 0 {
            (master, application) = (tls, module.application(of: name, on: tls, entry.flow))
        }
        if application == 0 || master == application { (master, application) = (0, application == 0 ? master : application) }
        let carrier = master == 0 ? application : master
        var confidence = ApplicationVerdict.Confidence(rawValue: UInt8(truncatingIfNeeded: ndpi_confidence(entry.flow))) ?? .unknown
        // nDPI looks for this one (iperf3's port is among its ports) by ports alone, and calls that inspection.
        if carrier == UInt16(NDPI_PROTOCOL_TARGUS_GETDATA.rawValue) { confidence = .port }
        return ApplicationVerdict(
            conversation: conversation, isFromLowerEnd: entry.isFromLowerEnd, master: module.name(master),
            application: module.name(application), category: application == 0 ? nil : module.category(entry.flow),
            confidence: application == 0 ? .unknown : entry.serverName != nil ? .inspection : confidence,
            isEncrypted: application == 0 ? nil : module.isEncrypted(carrier), isFinal: isFinal, packets: entry.packets,
            name: serverName(entry, carrier: carrier))
    }

    private func serverName(_ entry: Pending, carrier: UInt16) -> ApplicationVerdict.ServerName? {
        if let name = entry.serverName { return ApplicationVerdict.ServerName(kind: .tls, text: name) }
        guard let text = HostName.of(module.hostName(entry.flow)) else { return nil }
        let kind: ApplicationVerdict.ServerName.Kind =
            switch ndpi_protocol_id_t(rawValue: UInt32(carrier)) {
            case NDPI_PROTOCOL_TLS, NDPI_PROTOCOL_QUIC, NDPI_PROTOCOL_DTLS: .tls
            case NDPI_PROTOCOL_HTTP, NDPI_PROTOCOL_HTTP_CONNECT, NDPI_PROTOCOL_HTTP_PROXY: .http
            case NDPI_PROTOCOL_DNS, NDPI_PROTOCOL_MDNS, NDPI_PROTOCOL_LLMNR: .dns
            default: .other
            }
        return ApplicationVerdict.ServerName(kind: kind, text: text)
    }
}
