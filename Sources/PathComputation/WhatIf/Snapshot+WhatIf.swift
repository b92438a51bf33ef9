import NetworkTypes
import Topology

/// Why there is no answer to “what if”.
public enum WhatIfError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text is no change.
    case syntax(position: Int, text: String, ChangeSyntaxError)
    /// The kernel would refuse the change, or a name in it is not known.
    case refused(position: Int, text: String, ChangeRefusal)

    /// Which of the changes it is; 0 is the first.
    public var position: Int {
        switch self {
        case .syntax(let position, _, _), .refused(let position, _, _): position
        }
    }

    public var description: String {
        switch self {
        case .syntax(_, let text, let error): "“\(text)” \(error)"
        case .refused(_, let text, let reason): "“\(text)”: \(reason)"
        }
    }
}

extension Snapshot {
    /// The name of the host's own namespace: what names without a node mean where several have them.
    public static let homeNamespace = "init"

    /// What the changes, one after the other, would do to the traffic that is measured. Nothing is changed.
    ///
    /// - Parameters:
    ///   - changes: in ``ChangeParser``'s form.
    ///   - earlier: an older snapshot: rates are means of the time between the two. nil: of the latest epoch.
    ///   - settings: sysctls of the namespaces, by name; see ``NamespaceSettings``.
    ///   - epoch: how long an epoch is.
    ///   - threshold: the utilisation from which a link is a bottleneck.
    public func whatIf(
        _ changes: [String], since earlier: Snapshot? = nil, settings: [String: NamespaceSettings] = [:], epoch: Duration = .seconds(1),
        threshold: Double = 0.9
    ) throws(WhatIfError) -> WhatIfReport {
        var parsed: [Change] = []
        for (position, text) in changes.enumerated() {
            do {
                parsed.append(try ChangeParser.parse(text))
            } catch {
                throw .syntax(position: position, text: text, error)
            }
        }
        let reader = SnapshotReader(self, settings: settings)
        let measured = MeasuredDemands(self, since: earlier, epoch: epoch, reader: reader, plane: ForwardingPlane(reader.state))
        let answer: WhatIf
        do {
            answer = try WhatIf(parsed, on: reader.state, demands: measured.demands, home: Self.homeNamespace)
        } catch {
            throw .refused(position: error.position, text: changes[error.position], error.reason)
        }
        var report = WhatIfReport(answer, changes: changes, threshold: threshold)
        report.unplaced = measured.unplaced
        if !reader.supposed.isEmpty {
            report.suppositions.append(
                "forwarding is on and other sysctls have their defaults in \(reader.supposed.joined(separator: ", "))")
        }
        let outside = measured.demands.lazy.filter { $0.entry != nil }.count
        if outside > 0 {
            report.suppositions.append(
                "what comes from beyond the network (flows: \(outside)) keeps coming in where its answers go out now")
        }
        return report
    }
}
