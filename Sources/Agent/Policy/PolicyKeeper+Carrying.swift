import Configuration
import Datapath
import Logging
import Netlink
import Policy
import Reports

/// Carrying plans out.
extension PolicyKeeper {
    /// A step that failed; what had been done before it is taken back.
    private struct StepFailure: Error {
        /// Those that cannot be in force without it.
        var rules: Set<String>
        var reason: String
        /// What became of the steps before.
        var undone: String
    }

    /// All of a plan, or nothing of it.
    /// - Parameter skipsClearing: what only takes away what no rule needs may fail.
    /// - Returns: what did.
    @discardableResult func carryOut(_ plan: PolicyPlan, skipsClearing: Bool = false) throws -> [String] {
        do { return try attempt(plan, skipsClearing: skipsClearing) } catch let failure as StepFailure {
            throw AgentFailure("apply the policy", "\(failure.reason); \(failure.undone)")
        }
    }

    private func attempt(_ plan: PolicyPlan, skipsClearing: Bool) throws -> [String] {
        defer { onChange() }
        var done: [PolicyStep] = []
        var skipped: [String] = []
        for step in plan.steps {
            do {
                try step.apply()
                done.append(step)
            } catch {
                // The kernel's refusals begin with the command.
                let what = error is NetlinkError ? "" : step.reports.first.map { "\($0.command ?? $0.what): " } ?? ""
                if skipsClearing && step.isClearing {
                    skipped.append("\(what)\(error)")
                    continue
                }
                var lost: [String] = []
                for step in done.reversed() {
                    do { try step.undo() } catch { lost.append("\(error)") }
                }
                throw StepFailure(
                    rules: step.rules, reason: "\(what)\(error)",
                    undone: lost.isEmpty
                        ? "nothing was changed" : "and taking back what had been done failed: \(lost.joined(separator: "; "))")
            }
        }
        isInForce = true
        settle(plan)
        return skipped
    }

    /// Remembers what a plan found that was carried out, or that needed nothing to be done.
    func settle(_ plan: PolicyPlan) {
        refused = plan.refusals
        waiting = plan.waiting.sorted { $0.rule < $1.rule }
        known = Set(interfaces.map(\.id))
        for one in shapes.note(plan.displaced) {
            log.warning(
                "root qdisc of ours displaced",
                [
                    "interface": LogValue(one.interface), "qdisc": LogValue(one.kind),
                    "rules": LogValue(one.rules.joined(separator: " ")),
                ])
        }
    }

    /// What is asked for without the rules that failed at the start.
    var enforceable: Policy { policy.without(Set(leftOut.keys)) }

    /// Puts in force what can be: a rule whose step fails is left out, and told among the refusals. For the start: one rule that cannot be is
    /// no reason to be without all others.
    func carryOutAsFarAsPossible(_ wanted: Policy, mayReplace: Bool) throws -> PolicyPlan {
        leftOut = [:]
        while true {
            let rest = wanted.without(Set(leftOut.keys))
            do {
                var plan = try plan(rest, mayReplace: mayReplace)
                for complaint in try attempt(plan, skipsClearing: true) { complain(complaint) }
                plan.refusals = refusals
                return plan
            } catch let failure as StepFailure {
                let rules = failure.rules.filter { rest.kind(of: $0) != nil }
                guard !rules.isEmpty else { throw AgentFailure("apply the policy", "\(failure.reason); \(failure.undone)") }
                for rule in rules {
                    leftOut[rule] = .init(
                        rule: rule, reason: "left out: \(failure.reason)", hint: "it is tried again every few seconds; or: nilo apply")
                }
            } catch let refusal as PlanReport.Refusal where rest.kind(of: refusal.rule) != nil {
                leftOut[refusal.rule] = refusal
            }
        }
    }

    // MARK: Guests

    /// Puts a session in force beside the policy.
    /// - Parameter dryRun: only tells whether it could be.
    func add(guest rule: MirrorRule, dryRun: Bool = false) throws {
        guard isInForce else {
            throw AgentFailure("capture", "the policy files are not in force", hint: "nilo plan says why")
        }
        guests.append(rule)
        do {
            let plan = try plan(enforceable, mayReplace: false)
            if let refusal = plan.refusals.first(where: { $0.rule == rule.name }) { throw refusal }
            if let waiting = plan.waiting.first(where: { $0.rule == rule.name && !$0.inPart }) {
                throw AgentFailure(
                    "capture", "no such interface is being counted: \(waiting.reason)", hint: "nilo interfaces lists those that are")
            }
            if dryRun { guests.removeLast() } else { try carryOut(plan) }
        } catch {
            guests.removeAll { $0.name == rule.name }
            throw error
        }
    }

    func remove(guest name: String) throws {
        guests.removeAll { $0.name == name }
        try carryOut(try plan(enforceable, mayReplace: false))
    }

    /// The mirror rule of this name, of the policy or a guest.
    func mirror(named name: String) -> MirrorRule? { (policy.mirrors + guests).first { $0.name == name } }

    // MARK: The folder

    /// Reads the folder and applies it, at the start and when asked to without a change. Files with a problem leave what is in force.
    func load(mayReplace: Bool = false) throws -> PolicyPlan {
        guard pending == nil else { throw Self.unconfirmed }
        let file: PolicyFile
        let taken: [String: [UInt8]]
        var held: [String] = []
        do {
            if !isInForce { unconfirmed = try UnconfirmedPolicy.read(directory) }
            let found = try folder()
            if let unconfirmed { held = UnconfirmedPolicy.difference(unconfirmed.files, found) }
            // What nobody has confirmed does not come into force because somebody asks for something else.
            taken = held.isEmpty ? found : unconfirmed?.files ?? found
            file = try parse(taken)
        } catch {
            trouble = Trouble(text: "\(error)", isOfFiles: error is PolicyFile.Failure && held.isEmpty)
            judgement = nil
            throw AgentFailure("read the policy", "\(error)", hint: "what was in force stays in force")
        }
        files = taken.keys.sorted()
        let plan: PolicyPlan
        do {
            try shapes.settle()
            if isInForce {
                plan = try self.plan(file.policy, mayReplace: mayReplace)
                try carryOut(plan)
                leftOut = [:]
            } else {
                plan = try carryOutAsFarAsPossible(file.policy, mayReplace: mayReplace)
            }
        } catch {
            trouble = Trouble(text: "\(error)", isOfFiles: false)
            throw error
        }
        (policy, places, accepted) = (file.policy, file.places, taken)
        (trouble, judgement) = (nil, nil)
        if let held = unconfirmed, held.isPending {
            ended(held.changed, "the agent ended before that, and the next one took the change back")
        }
        settleUnconfirmed()
        return plan
    }

    /// The folder's files, by their names.
    func folder() throws -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: try directory.read().map { ($0.name, $0.bytes) })
    }

    /// - Parameter files: by their names, without the folder.
    func parse(_ files: [String: [UInt8]]) throws -> PolicyFile {
        try PolicyFile.parse(files.sorted { $0.key < $1.key }.map { .init(name: "\(directory.path)/\($0.key)", bytes: $0.value) })
    }
}
