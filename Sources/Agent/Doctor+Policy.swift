import Configuration
import Glibc
import Netlink
import NetworkTypes
import Policy
import Reports

/// What rules would find: qdiscs, mirror ports, and the files that declare them.
extension Doctor {
    /// All of them, in the order in which they are shown.
    func policyChecks() -> [Check] {
        [shaping(), mirrorPort()] + policyFiles() + unconfirmedChange() + [replacedQdiscs(at: ReplacedQdiscs.path)]
    }

    func shaping() -> Check {
        do {
            return Self.shaping(try QdiscKinds.inScratchNamespace(QdiscKinds.probe))
        } catch { return Check("shaping", .warn, "qdiscs cannot be tried: \(error)", fix: geteuid() == 0 ? nil : "sudo nilo doctor") }
    }

    /// - Parameter kinds: of qdiscs, that the kernel has.
    static func shaping(_ kinds: Set<String>) -> Check {
        let found = QdiscKinds.asked.map { "\($0) \(kinds.contains($0) ? "yes" : "no")" }.joined(separator: ", ") + ", police yes"
        guard kinds.contains("htb") else {
            return Check(
                "shaping", .warn, found, use: "auto: police; what needs classes is refused", fix: "modprobe sch_htb (CONFIG_NET_SCH_HTB)")
        }
        let egress = kinds.contains("fq") ? "edt where fq is the root qdisc, else htb" : "htb (edt is refused: there is no fq)"
        return Check("shaping", .ok, found, use: "auto: \(egress); police for what arrives")
    }

    func mirrorPort() -> Check {
        do {
            // It goes with the namespace.
            _ = try QdiscKinds.inScratchNamespace { socket in try socket.makeMirrorPort() }
            if let damage = try mirrorPortDamage() {
                return Check(
                    "mirror port", .warn, damage.found, use: "copies that are to be cut or go through a tunnel are lost", fix: damage.fix)
            }
            return Check("mirror port", .ok, "a veth pair can be made: copies can be cut and sent through tunnels")
        } catch {
            return Check(
                "mirror port", .warn, "cannot be made: \(error)", use: "mirroring of whole packets to local interfaces alone",
                fix: geteuid() == 0 ? "modprobe veth (CONFIG_VETH)" : "sudo nilo doctor")
        }
    }

    /// What is wrong with the mirror port of the calling thread's namespace, where there is one.
    private func mirrorPortDamage() throws -> (found: String, fix: String)? {
        let socket = try NetlinkSocket()
        let links = try socket.links()
        if let stranger = links.mirrorPortStranger {
            return ("\(stranger.name) is not ours: it lacks our alias", "rename it: no mirror port can be made beside it")
        }
        guard !links.mirrorPortEnds.isEmpty else { return nil }
        let fix = "an agent mends it when it puts mirror rules in force: nilo apply; without one: nilo cleanup"
        guard let port = try socket.mirrorPort() else {
            return ("only a part of it is there: \(links.mirrorPortEnds.map(\.name).joined(separator: ", "))", fix)
        }
        if !port.down.isEmpty { return ("\(port.down.joined(separator: " and ")) \(port.down.count == 1 ? "is" : "are") down", fix) }
        let ends = [(port.out, ClsactHook.egress, MirrorPortDevice.outName), (port.in, .ingress, MirrorPortDevice.inName)]
        let bare = try ends.filter { index, hook, _ in
            try !socket.filters(of: index, at: hook).contains { $0.program?.name.hasPrefix("nilo_mirror") == true }
        }
        return bare.isEmpty ? nil : ("our program is not on \(bare.map(\.2).joined(separator: " and "))", fix)
    }

    /// A change that waits, or that was taken back and still stands in the folder.
    func unconfirmedChange() -> [Check] {
        let directory = PolicyDirectory(path: configuration.policy)
        do {
            guard let held = try UnconfirmedPolicy.read(directory) else { return [] }
            let files = held.changed.isEmpty ? "a change" : held.changed.joined(separator: ", ")
            guard !held.isPending else {
                return [
                    Check(
                        "unconfirmed", .warn, "\(files): waits to be confirmed", use: "taken back in time, or by the next agent",
                        fix: "nilo confirm keeps it")
                ]
            }
            return [
                Check(
                    "unconfirmed", .warn, "\(files): not confirmed and taken back; the folder still has it",
                    use: "the policy before is in force", fix: "nilo apply puts in force what the folder says; or restore the files")
            ]
        } catch let error as AgentFailure {
            return [Check("unconfirmed", .fail, "\(error.what): \(error.why)", fix: error.hint)]
        } catch { return [Check("unconfirmed", .fail, "\(error)", fix: geteuid() == 0 ? "mend or remove it" : "sudo nilo doctor")] }
    }

    /// One check when all is well, else one for each problem.
    func policyFiles() -> [Check] {
        let directory = PolicyDirectory(path: configuration.policy)
        guard access(directory.path, F_OK) == 0 else {
            return [Check("policy", .ok, "\(directory.path) is not there: no rules", use: "made with the first rule")]
        }
        let files: [PolicyDirectory.File]
        do { files = try directory.read() } catch {
            return [Check("policy", .fail, "\(error)", fix: geteuid() == 0 ? "mend or remove what is there" : "sudo nilo doctor")]
        }
        return policyRules(directory, files.count) + unreadPolicyFiles(directory)
    }

    private func unreadPolicyFiles(_ directory: PolicyDirectory) -> [Check] {
        do {
            return try directory.unread().map { Check("policy", .warn, $0, fix: "rename it, then: nilo apply; or move it elsewhere") }
        } catch {
            return [Check("policy", .fail, "\(error)")]
        }
    }

    private func policyRules(_ directory: PolicyDirectory, _ files: Int) -> [Check] {
        do {
            let policy = try PolicyFile.load(directory).policy
            let counts = [("mirror", policy.mirrors.count), ("sampler", policy.samplers.count), ("shaper", policy.shapers.count)]
                .filter { $0.1 > 0 }.map { "\($0.1) \($0.0)\($0.1 == 1 ? "" : "s")" }
            let rules = counts.isEmpty ? "no rules" : counts.joined(separator: ", ")
            return [Check("policy", .ok, "\(directory.path): \(rules) in \(files) file\(files == 1 ? "" : "s")")]
        } catch {
            return error.files.flatMap { file in
                file.problems.map { problem in
                    let place = problem.line > 0 ? "\(file.file.visible):\(problem.line)" : file.file.visible
                    return Check("policy", .fail, "\(place): \(problem)", fix: problem.hint ?? "correct it, then: nilo apply")
                }
            }
        }
    }

    func replacedQdiscs(at path: String) -> Check {
        do {
            let entries = try ReplacedQdiscs(path: path).entries
            guard !entries.isEmpty else { return Check("replaced qdiscs", .ok, "none of others' is waiting to be put back") }
            return Check(
                "replaced qdiscs", .ok, entries.map { "\($0.kind) of \($0.interface)" }.joined(separator: ", "),
                use: "put back when no rule needs the place any more, by nilo stop and by nilo cleanup")
        } catch {
            return Check("replaced qdiscs", .fail, "\(error)", fix: geteuid() == 0 ? "mv \(path) \(path).bad" : "sudo nilo doctor")
        }
    }
}
