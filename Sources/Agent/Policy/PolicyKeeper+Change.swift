import Configuration
import Logging
import NetworkTypes
import Policy
import Reports

/// Changes that are asked for.
extension PolicyKeeper {
    /// Carries a requested change out, or tells what it would do.
    func change(_ change: PolicyChange) throws -> PlanReport {
        let found = try folder()
        let edit = try edit(change, of: found)
        let wanted = edit.wanted
        let file = try read(wanted, for: change)
        let along = carriedAlong(found, besides: Set(change.put.keys).union(edit.removed))
        if !along.isEmpty, !change.dryRun, !change.put.isEmpty || !edit.removed.isEmpty {
            throw AgentFailure(
                "apply the policy", "\(Self.unconfirmedText(along)), and would come into force with this change",
                hint: Self.unconfirmedHint)
        }
        if !isInForce && !change.dryRun { try shapes.settle() }
        var plan = try plan(file.policy, mayReplace: change.replace)
        plan.remarks += unread
        if !along.isEmpty { plan.remarks.append("\(Self.unconfirmedText(along)): nilo apply puts in force what the folder says") }
        let planned = Self.plannedOtherwise(policy, file.policy)
        func report(applied: Bool, confirmWithinSeconds: Double? = nil) -> PlanReport {
            var report = plan.report(applied: applied, confirmWithinSeconds: confirmWithinSeconds)
            report.filesWritten = change.put.keys.filter { found[$0] != wanted[$0] }.sorted()
            report.filesRemoved = edit.removed.filter { found[$0] != nil }.sorted()
            report.planned = planned
            return report
        }
        guard !change.dryRun else { return report(applied: false) }
        if let refusal = plan.refusals.first(where: { refusal in !self.refusals.contains(refusal) }), !change.put.isEmpty {
            // A rule that was just asked for and cannot be is not half taken in.
            throw AgentFailure("apply the policy", "\(refusal.rule): \(refusal.reason)", hint: refusal.hint)
        }
        guard pending == nil else { throw Self.unconfirmed }
        // Where nothing changes there is nothing to be cut off by.
        let isNothing = plan.steps.isEmpty && edit.put.isEmpty && edit.removed.isEmpty && wanted == accepted
        let confirm = isNothing ? nil : change.confirmWithinSeconds
        try carryOut(plan, edit, file, found: found, confirmWithinSeconds: confirm)
        leftOut = [:]
        lapse = nil
        files = wanted.keys.sorted()
        (trouble, judgement) = (nil, nil)
        return report(applied: true, confirmWithinSeconds: confirm)
    }

    /// What is planned otherwise by one policy than by another, as `class web`, `route wan`.
    static func plannedOtherwise(_ before: Policy, _ after: Policy) -> [String] {
        func changed<Declaration: Hashable>(_ kind: String, _ all: KeyPath<Policy, [Declaration]>, _ name: KeyPath<Declaration, String>)
            -> [String]
        {
            Set(before[keyPath: all]).symmetricDifference(after[keyPath: all]).reduce(into: Set<String>()) {
                $0.insert("\(kind) \($1[keyPath: name])")
            }.sorted()
        }
        return changed("class", \.plans, \.rule) + changed("route", \.routes, \.name)
    }

    /// What a change makes of the folder.
    private struct Edit {
        var wanted: [String: [UInt8]]
        var put: [PolicyDirectory.File]
        var removed: [String]
    }

    private func edit(_ change: PolicyChange, of found: [String: [UInt8]]) throws -> Edit {
        var wanted = found
        for (name, text) in change.put {
            guard PolicyDirectory.isFileName(name) else {
                throw AgentFailure(
                    "apply the policy", "\"\(name.visible)\" is no name for a policy file", hint: "letters and digits, ending in .yaml")
            }
            wanted[name] = Array(text.utf8)
        }
        var removed = change.remove
        if let odd = removed.first(where: { !PolicyDirectory.isFileName($0) }) {
            throw AgentFailure("apply the policy", "\"\(odd.visible)\" is no name for a policy file")
        }
        if let rule = change.addRule { try checkAddition(of: rule, change, to: found) }
        if let rule = change.removeRule { removed.append(try fileOf(rule, change.removeKind.flatMap { RuleKind(rawValue: $0) }, wanted)) }
        if let both = removed.first(where: { change.put[$0] != nil }) {
            throw AgentFailure("apply the policy", "\(both) is to be put there and removed at once")
        }
        for name in removed { wanted[name] = nil }
        let put = change.put.map { PolicyDirectory.File(name: $0.key, bytes: Array($0.value.utf8)) }
        return Edit(wanted: wanted, put: put, removed: removed)
    }

    /// Reads the folder as a change would leave it. Files that are not there yet are called what those who asked call them.
    private func read(_ wanted: [String: [UInt8]], for change: PolicyChange) throws -> PolicyFile {
        func path(_ name: String) -> String { change.put[name] == nil ? "\(directory.path)/\(name)" : name }
        var file: PolicyFile
        do { file = try PolicyFile.parse(wanted.sorted { $0.key < $1.key }.map { .init(name: path($0.key), bytes: $0.value) }) } catch {
            guard let rule = change.addRule, let name = change.put.keys.first else { throw error }
            throw AddedRuleMistakes(rule: rule, file: name).failure(error)
        }
        file.places = file.places.mapValues {
            $0.file.hasPrefix("/") ? $0 : .init(file: "\(directory.path)/\($0.file)", line: $0.line)
        }
        return file
    }

    private func carryOut(
        _ plan: PolicyPlan, _ edit: Edit, _ file: PolicyFile, found: [String: [UInt8]], confirmWithinSeconds confirm: Double?
    ) throws {
        let (before, placesBefore, acceptedBefore) = (policy, places, accepted)
        let unconfirmedBefore = unconfirmed
        if confirm != nil {
            // What an earlier agent has written down counts for as long as this one has put nothing in force.
            let earlier = isInForce ? accepted : unconfirmed?.files ?? accepted
            let new = UnconfirmedPolicy(isPending: true, files: earlier, changed: UnconfirmedPolicy.difference(earlier, edit.wanted))
            do { try new.write(directory) } catch { throw AgentFailure("keep the policy", "\(error); nothing was changed") }
            unconfirmed = new
        }
        do { try carryOut(plan) } catch {
            if confirm != nil { bringBack(unconfirmedBefore) }
            throw error
        }
        (policy, places, accepted) = (file.policy, file.places, edit.wanted)
        if let seconds = confirm {
            pending = Pending(
                before: before, placesBefore: placesBefore, acceptedBefore: acceptedBefore, found: found,
                changed: UnconfirmedPolicy.difference(acceptedBefore, edit.wanted) + edit.put.map(\.name) + edit.removed, put: edit.put,
                remove: edit.removed, until: .now + .seconds(seconds))
        } else {
            do { try store(edit.put, edit.removed) } catch {
                // What the folder does not say is not to be in force.
                (policy, places, accepted) = (before, placesBefore, acceptedBefore)
                try carryOut(try self.plan(before, mayReplace: false))
                throw AgentFailure("keep the policy", "\(error); nothing was changed")
            }
        }
    }

    /// What was written down for a change that did not come about is taken back.
    private func bringBack(_ before: UnconfirmedPolicy?) {
        do {
            if let before { try before.write(directory) } else { try directory.removeUnconfirmed() }
            unconfirmed = before
        } catch { log.error("unconfirmed change not written down", ["reason": LogValue("\(error)")]) }
    }

    /// Files of the folder that are passed over, a line each.
    var unread: [String] {
        do { return try directory.unread() } catch { return ["\(error)"] }
    }

    /// Brings the folder to what is in force: all of it, or nothing. Nothing waits to be confirmed then.
    func store(_ put: [PolicyDirectory.File], _ removed: [String]) throws {
        let before = try directory.read()
        do {
            for file in put { try directory.write(file) }
            for name in removed { try directory.remove(name) }
            try forgetUnconfirmed()
        } catch {
            for name in put.map(\.name) + removed {
                if let file = before.first(where: { $0.name == name }) { try directory.write(file) } else { try directory.remove(name) }
            }
            throw error
        }
    }

    // MARK: Rules and their files

    /// Refuses what would take other rules along: one of another kind has the name, or the file holds more.
    private func checkAddition(of rule: String, _ change: PolicyChange, to found: [String: [UInt8]]) throws {
        let what = "add rule \(rule.visible)"
        guard let name = change.put.keys.first, change.put.count == 1,
            let kind = RuleKind.allCases.first(where: { name == "\($0.rawValue)-\(rule).yaml" })
        else { throw AgentFailure(what, "it is to be the one rule of one file in put, called KIND-NAME.yaml") }
        // Where the folder has mistakes the change has them as well, and tells them.
        guard let all = try? parseAll(found) else { return }
        if let place = all.places[rule], let its = all.policy.kind(of: rule) {
            let shown = "\(directory.path)/\(place.file):\(place.line)"
            guard its == kind else {
                throw AgentFailure(
                    what, "a \(its.rawValue) rule has that name (\(shown))",
                    hint: "take another name, or first: nilo \(its.rawValue) remove \(rule)")
            }
            guard place.file == name else {
                throw AgentFailure(what, "it stands in \(shown)", hint: "change it there, then: nilo apply")
            }
        }
        guard found[name] != nil, !isAlone(all.places[rule]?.file == name ? 1 : 0, in: name, all, found) else { return }
        throw AgentFailure(
            what, "\(directory.path)/\(name) holds other things, which would be lost", hint: "edit the file, then: nilo apply")
    }

    /// All files together: a filter of one may name a set of another. Their names are without the folder.
    private func parseAll(_ files: [String: [UInt8]]) throws -> PolicyFile {
        try PolicyFile.parse(files.sorted { $0.key < $1.key }.map { .init(name: $0.key, bytes: $0.value) })
    }

    /// Whether a file has no more than so many rules, and neither sets nor capacities, which would go with it as silently.
    private func isAlone(_ rules: Int, in name: String, _ all: PolicyFile, _ files: [String: [UInt8]]) -> Bool {
        guard all.places.count(where: { $0.value.file == name }) == rules else { return false }
        let rest = try? parseAll(files.filter { $0.key != name })
        return rest.map {
            $0.policy.links == all.policy.links && $0.policy.prefixSets == all.policy.prefixSets && $0.policy.plans == all.policy.plans
                && $0.policy.routes == all.policy.routes
        } ?? false
    }

    /// The file that holds a rule and no other.
    /// - Parameter kind: that it has to be of.
    private func fileOf(_ rule: String, _ kind: RuleKind?, _ files: [String: [UInt8]]) throws -> String {
        let all = try parseAll(files)
        guard let name = all.places[rule]?.file else {
            throw AgentFailure(
                "remove rule \(rule.visible)", "there is no such rule", hint: "nilo mirror, nilo sample and nilo shape list them")
        }
        if let kind, let its = all.policy.kind(of: rule), its != kind {
            throw AgentFailure(
                "remove rule \(rule)", "it is a \(its.rawValue) rule, not a \(kind.rawValue) rule",
                hint: "nilo \(its.rawValue) remove \(rule)")
        }
        guard isAlone(1, in: name, all, files) else {
            throw AgentFailure(
                "remove rule \(rule.visible)", "it stands with others in \(directory.path)/\(name)", hint: "edit the file, then: nilo apply"
            )
        }
        return name
    }
}
