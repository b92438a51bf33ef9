import Configuration
import Datapath
import Netlink
import Reports

// What stays when the agent ends.
extension Agent {
    /// - Parameter keep: the kernel side goes on.
    func leaving(keep: Bool) -> StopReport {
        var report = StopReport(kept: keep)
        guard !keep else {
            report.interfaces = datapath.interfaces.count
            if let rules = reporter?.summary() {
                (report.mirrors, report.samplers, report.shapers) = (rules.mirrors, rules.samplers, rules.shapers)
            }
            return report
        }
        report.left = traces().map { "\($0) (nilo cleanup takes it away)" }
        if let files = try? keeper?.directory.read(), !files.isEmpty {
            let count = files.count == 1 ? "a policy file" : "\(files.count) policy files"
            report.left.append("\(count) in \(configuration.policy), which the next agent puts in force")
        }
        return report
    }

    /// What an earlier agent made in namespaces that this one does not follow, a line each. Others may have their own there: it stays.
    func traces() -> [String] {
        let followed = Set(follower.namespaces.values.map { $0.namespace.cookie })
        let earlier = Set(datapath.allInterfaces.map(\.namespaceCookie)).subtracting(followed)
        guard !earlier.isEmpty else { return [] }
        var found: [String] = []
        do {
            for sighting in try NamespaceFinder().scan(processes: .max).appeared {
                // One that cannot be opened has ended.
                guard let namespace = try? sighting.open(), earlier.contains(namespace.cookie) else { continue }
                let socket = try NetlinkSocket(in: namespace)
                let links = try socket.links()
                var traces = links.mirrorPortEnds.map(\.name)
                for link in links {
                    if case .ours = try socket.rootQdisc(of: link.index) { traces.append("htb qdisc of \(link.name)") }
                }
                guard !traces.isEmpty else { continue }
                found.append("\(traces.joined(separator: ", ")) in \(sighting.owner), which is not followed")
            }
        } catch { found.append("what may be in namespaces that are not followed: they could not be searched: \(error)") }
        return found
    }
}
