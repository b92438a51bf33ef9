import Applications
import Dissection
import Flows
import NetworkTypes
import Topology

/// What a flow was found to be, as the agent tells it.
struct FlowApplication: Hashable, Sendable {
    /// The stack of protocols as nDPI names it, in lower case: `http`, `tls.google`; `unknown`.
    var name: String
    var basis: ApplicationVerdict.Confidence
    /// By its protocol; nil: unknown.
    var isEncrypted: Bool?
    /// What the client called the server (TLS, HTTP); nil when it did not.
    var serverName: String?
    /// What was asked for or said otherwise: the name of a DNS question.
    var otherName: String?

    init(_ verdict: ApplicationVerdict) {
        name = verdict.stack.lowercased()
        basis = verdict.confidence
        isEncrypted = verdict.isEncrypted
        switch verdict.name?.kind {
        case .tls, .http: serverName = verdict.name?.text
        case .dns, .other: otherName = verdict.name?.text
        case nil: break
        }
    }

    var isUnknown: Bool { basis == .unknown }
}

/// The conversations that the classifier was asked about, and what it said of them. Bounded; those that are longest without a packet or a
/// word of theirs go first.
///
/// Those without an answer that says something are kept apart: a flood of new flows pushes out its like, not what is known.
struct ApplicationBook {
    private struct Entry {
        /// Of the first sample.
        var key: FlowKey
        var application: FlowApplication?
    }

    private var asked: RecencyTable<Conversation, Entry>
    private var told: RecencyTable<Conversation, Entry>
    /// Verdicts on conversations that nobody asked about (any more).
    private(set) var strangers: UInt64 = 0

    init(asked: Int = 16_384, told: Int = 32_768) {
        self.asked = RecencyTable(capacity: asked)
        self.told = RecencyTable(capacity: told)
    }

    /// A packet of the flow is about to be looked at.
    /// - Parameter network: see `Conversation.network`.
    /// - Returns: false where there is nothing to be found: it is no conversation.
    mutating func ask(_ key: FlowKey, network: UInt32) -> Bool {
        guard let conversation = Conversation(key, network: network) else { return false }
        if told.use(conversation) == nil, asked.use(conversation) == nil { asked.set(conversation, Entry(key: key)) }
        return true
    }

    /// - Returns: what the topology is to be told; nil for a verdict on a conversation that is not known.
    mutating func accept(_ verdict: ApplicationVerdict) -> FlowVerdict? {
        let conversation = verdict.conversation
        guard var entry = told.peek(conversation) ?? asked.peek(conversation) else {
            strangers += 1
            return nil
        }
        let application = FlowApplication(verdict)
        entry.application = application
        if application.isUnknown {
            told.remove(conversation)
            asked.set(conversation, entry)
        } else {
            asked.remove(conversation)
            told.set(conversation, entry)
        }
        // An address that a client calls a server by is no name of it.
        let server = application.serverName.flatMap { IPAddress($0) == nil ? $0 : nil }
        // What a port is registered for says little of what is spoken there: no application that the map would show.
        let name = application.basis == .port ? "unknown" : application.name
        return FlowVerdict(key: entry.key, application: name, server: server ?? "")
    }

    /// nil: not known (yet).
    func application(of key: FlowKey, network: UInt32) -> FlowApplication? {
        guard let conversation = Conversation(key, network: network) else { return nil }
        return (told.peek(conversation) ?? asked.peek(conversation))?.application
    }
}
