import Configuration
import Glibc
import Netlink
import NetworkTypes
import Policy
import Reports

/// What rules would find: qdiscs, mirror ports, and the files that declare them.
extension Doctor {
    /// All of them, in the order in which they are shown.
    func policyChecks() -> [Check] { [shaping(), mirrorPort()] + policyFiles() + [replacedQdiscs(at: ReplacedQdiscs.path)] }

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
            return Check("mirror port", .ok, "a veth pair can be made: copies can be cut and sent through tunnels")
        } catch {
            return Check(
                "mirror port", .warn, "cannot be made: \(error)", use: "mirroring of whole packets to local interfaces alone",
                fix: geteuid() == 0 ? "modprobe veth (CONFIG_VETH)" : "sudo nilo doctor")
        }
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
