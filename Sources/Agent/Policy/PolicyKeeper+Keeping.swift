import Datapath
import Logging
import NetworkTypes
import Policy
import Reports

/// Keeping the kernel as the policy says.
extension PolicyKeeper {
    /// Looks whether the kernel still is as the policy says, and mends it. Once a second, and when netlink tells of a change.
    func turn(now: Timestamp) {
        // Its timer stands still while the machine sleeps.
        takeBack()
        takeAllocationsBack()
        // Netlink tells of most changes at once; looking is for what it lost, and costs some dumps.
        turns += 1
        if turns % 5 == 0 {
            do { try shapes.forgetLost() } catch { log.warning("replaced qdiscs not looked at", ["reason": LogValue("\(error)")]) }
        }
        if turns % 5 == 0 || known != Set(interfaces.map(\.id)) { synchronise() }
        judge()
        followNeighbours(asks: true)
        samples.turn(now: now)
    }

    /// - Parameter asks: those who do not answer, and those who have not for a while, are asked.
    func followNeighbours(asks: Bool) {
        do { try mirrors.followNeighbours(asks: asks) } catch {
            log.warning("nexthops of collectors not looked at", ["reason": LogValue("\(error)")])
        }
    }

    /// Nothing is asked for, and nothing of ours is there that was.
    private var isIdle: Bool {
        policy.mirrors.isEmpty && policy.samplers.isEmpty && policy.shapers.isEmpty && program == .empty && book.tenants.isEmpty
            && shapes.tables.all.isEmpty
    }

    /// - Parameter isOurs: what is found to differ follows from a change of our own view (an interface came or went), and is no drift.
    func synchronise(isOurs: Bool = false) {
        guard isInForce, !isIdle else { return }
        do {
            let skipped = try keep(policy, isOurs)
            leftOut = [:]
            if let first = skipped.first { complain(first) } else { lastComplaint = "" }
        } catch {
            complain("\(error)")
            // One that could not be put in force at the start does not keep the others from being looked after.
            guard !leftOut.isEmpty else { return }
            do { _ = try keep(enforceable, isOurs) } catch { log.debug("policy not kept", ["reason": LogValue("\(error)")]) }
        }
    }

    /// - Returns: what could not be taken away.
    private func keep(_ policy: Policy, _ isOurs: Bool) throws -> [String] {
        let plan = try plan(policy, mayReplace: false)
        guard !plan.steps.isEmpty else {
            settle(plan)
            return []
        }
        let follows = (isOurs || known != Set(interfaces.map(\.id))) && !plan.steps.contains(where: \.isRepair)
        let displacements = shapes.displacements
        let skipped = try carryOut(plan, skipsClearing: true)
        let steps = plan.steps.filter { skipped.isEmpty || !$0.isClearing }.flatMap(\.reports).map { $0.command ?? $0.what }
        if follows || shapes.displacements > displacements {
            log.info("policy follows", ["steps": LogValue(steps.prefix(8).joined(separator: "; "))])
        } else if !steps.isEmpty {
            repaired += 1
            log.warning("policy repaired", ["steps": LogValue(steps.prefix(8).joined(separator: "; "))])
        }
        return skipped
    }

    /// Says why the policy could not be kept, once.
    func complain(_ complaint: String) {
        if complaint != lastComplaint { log.error("policy not kept", ["reason": LogValue(complaint)]) }
        lastComplaint = complaint
    }

    /// Takes away all that rules have made outside the maps.
    func withdraw() {
        for actuator in actuators {
            do { try actuator.withdraw() } catch { log.error("policy not withdrawn", ["reason": LogValue("\(error)")]) }
        }
    }

    // MARK: The files as they stand there

    /// Why the folder's files are not what is in force.
    var problem: String? {
        guard let trouble else { return judgement?.problem }
        guard trouble.isOfFiles else { return trouble.text }
        let text =
            judgement.map { $0.problem ?? "\(directory.path): the files have been mended since, and are not applied yet\nhint: nilo apply" }
            ?? trouble.text
        return text + (datapath.tookOver && !isInForce ? "\nrules of an earlier agent stay in force until that is done" : "")
    }

    /// Looks for mistakes in the files of the folder when they have changed. What is in force stays.
    func judge() {
        let before = judgement?.problem
        judgement = PolicyJudgement.of(directory, after: judgement)
        if let problem = judgement?.problem, problem != before, trouble == nil {
            log.warning("policy files have a mistake; what was in force stays", ["reason": LogValue(problem)])
        }
    }
}
