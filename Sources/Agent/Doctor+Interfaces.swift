import Configuration
import Datapath
import Flows
import Glibc
import Netlink
import Reports

/// Which interfaces of the calling thread's namespace would be measured, and who is on their hooks already.
extension Doctor {
    /// - Parameter counted: by an agent that runs, which may have been started with other options; nil: none does.
    func interfaces(countedByAgent counted: [String]? = nil) -> (Check, [DoctorReport.Interface]) {
        let selectors = configuration.interfaces.map(\.description).joined(separator: ", ")
        let others = configuration.namespaces.filter { $0 != .host }.map(\.description).joined(separator: ", ")
        do {
            let socket = try NetlinkSocket()
            let defaults = Set(try socket.defaultRouteInterfaces())
            var chosen: [DoctorReport.Interface] = []
            for link in try socket.links() {
                guard let why = reason(for: link, defaults) else { continue }
                chosen.append(
                    .init(name: link.name, kind: link.kind.isEmpty ? "device" : link.kind, why: why, others: programs(on: link, socket)))
            }
            let use = others.isEmpty ? nil : "and in namespaces that match \(others)"
            if chosen.isEmpty, let counted, !counted.isEmpty {
                return (
                    Check(
                        "interfaces", .ok, "the agent that runs counts \(counted.joined(separator: ", "))",
                        use: "it was told to: none matches \(selectors), which an agent without options would take"), []
                )
            }
            if chosen.isEmpty {
                return (
                    Check(
                        "interfaces", others.isEmpty ? .warn : .ok, "none matches \(selectors) now",
                        use: use ?? "one that appears will be measured",
                        fix: others.isEmpty ? "name some: nilo agent --interface NAME" : nil), []
                )
            }
            return (Check("interfaces", .ok, chosen.map { "\($0.name) (\($0.why))" }.joined(separator: ", "), use: use), chosen)
        } catch { return (Check("interfaces", .fail, "\(error)", fix: "run as root"), []) }
    }

    /// The first selector that means an interface; nil when none does, or it is excluded.
    private func reason(for link: LinkObservation, _ defaults: Set<Int32>) -> String? {
        if configuration.exclude.contains(where: { $0.matches(link.name) }) { return nil }
        for selector in configuration.interfaces {
            switch selector {
            case .defaultRoute: if defaults.contains(link.index) { return "default route" }
            case .all: return "all"
            case .allButLoopback: if !link.flags.contains(.loopback) { return "all but loopback" }
            case .named(let glob): if glob.matches(link.name) { return glob.isPattern ? "matches \(glob.pattern)" : "named" }
            }
        }
        return nil
    }

    /// Programs of others, in words; what could not be asked is said too.
    private func programs(on link: LinkObservation, _ socket: NetlinkSocket) -> [String] {
        var found: [String] = []
        if let id = link.xdpProgram { found.append("XDP program \(id), before ingress: what it takes is not seen") }
        for direction in Direction.allCases {
            do throws(BPFError) {
                let names = try DatapathProbe.tcxPrograms(ifindex: UInt32(link.index), direction).filter { !DatapathProbe.isOwnProgram($0) }
                if !names.isEmpty { found.append("tcx \(direction): \(names.joined(separator: ", "))") }
            } catch  where error.code == EINVAL {
                // A kernel without tcx has no programs there.
            } catch { found.append("tcx \(direction): \(error)") }
            do throws(NetlinkError) {
                let filters = try socket.filters(of: link.index, at: direction == .ingress ? .ingress : .egress)
                    .filter { $0.handle != Remains.filterHandle }
                if !filters.isEmpty {
                    let names = filters.map { filter in
                        let program = filter.program.map { " " + $0.name } ?? ""
                        return "\(filter.kind)\(program) pref \(filter.priority)"
                    }
                    found.append("clsact \(direction): \(names.joined(separator: ", "))")
                }
            } catch { found.append("clsact \(direction): \(error)") }
        }
        return found
    }
}
