import Configuration
import Logging
import Policy
import Reports

/// Changes that come back by themselves unless they are confirmed.
extension PolicyKeeper {
    /// A change was taken back.
    func ended(_ files: [String], _ reason: String) {
        lapse = reason
        log.warning("policy not confirmed; taken back", ["files": LogValue(files.joined(separator: " ")), "reason": LogValue(reason)])
        onLapse(files, reason)
    }

    /// After a change was taken back: forgets it where the folder says what is in force, else says that it does not.
    func settleUnconfirmed() {
        guard var held = unconfirmed else { return }
        do {
            let names = UnconfirmedPolicy.difference(held.files, try folder())
            guard !names.isEmpty else { return try forgetUnconfirmed() }
            trouble = Trouble(
                text: "\(directory.path): \(Self.unconfirmedText(names)): the earlier policy is in force\nhint: \(Self.unconfirmedHint)",
                isOfFiles: false)
            guard held.isPending else { return }
            held.isPending = false
            unconfirmed = held
            try held.write(directory)
        } catch { log.error("unconfirmed change not written down", ["reason": LogValue("\(error)")]) }
    }

    static let unconfirmedHint = "nilo apply puts in force what the folder says; or restore the files, then: nilo apply"

    static func unconfirmedText(_ names: [String]) -> String {
        names.joined(separator: ", ") + (names.count == 1 ? " was" : " were") + " not confirmed and taken back"
    }

    /// From here on the folder alone says what is wanted.
    func forgetUnconfirmed() throws {
        try directory.removeUnconfirmed()
        unconfirmed = nil
    }

    /// Files whose change was taken back and that a change would bring along though it is not about them.
    func carriedAlong(_ found: [String: [UInt8]], besides names: Set<String>) -> [String] {
        guard pending == nil, let unconfirmed else { return [] }
        return UnconfirmedPolicy.difference(unconfirmed.files, found).filter { !names.contains($0) }
    }

    static let unconfirmed = AgentFailure(
        "apply the policy", "an earlier change waits to be confirmed", hint: "nilo confirm, or wait until it is taken back")

    func confirm() throws {
        guard let held = pending else {
            throw AgentFailure("confirm the policy", "nothing waits to be confirmed" + (lapse.map { ": \($0)" } ?? ""))
        }
        // Somebody's work is neither overwritten nor taken for what is in force.
        let edited = UnconfirmedPolicy.difference(held.found, try folder()).filter(held.changed.contains)
        guard edited.isEmpty else {
            throw AgentFailure(
                "confirm the policy",
                "\(edited.joined(separator: ", ")) in \(directory.path) " + (edited.count == 1 ? "has" : "have") + " changed since",
                hint: "bring back what was there and confirm then, or wait until the change is taken back and apply anew")
        }
        try store(held.put, held.remove)
        pending = nil
    }

    /// Brings the earlier policy back when nobody has confirmed the change in time.
    func takeBack() {
        guard let held = pending, ContinuousClock.now >= held.until else { return }
        pending = nil
        // Also when it fails now: from here on that is what is kept.
        (policy, places, accepted) = (held.before, held.placesBefore, held.acceptedBefore)
        files = accepted.keys.sorted()
        do {
            try carryOut(try plan(policy, mayReplace: false))
            ended(unconfirmed?.changed ?? [], "the time for it was over, and the change was taken back")
        } catch { log.error("policy not taken back", ["reason": LogValue("\(error)")]) }
        settleUnconfirmed()
    }
}
