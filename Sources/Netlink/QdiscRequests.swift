import CNetlink
import Glibc
import Policy

/// How the kernel is told of qdiscs and classes (rtnetlink(7), tc-htb(8)).
///
/// The requests are written here and not by libnl-route, whose HTB has no word for the overhead, and which sends one request at a time.
extension NetlinkBatch {
    /// The rate table that tc sends is a thing of the past: the kernel works packet times out itself when it is told the link layer.
    private static let linkLayerEthernet: UInt8 = 1

    mutating func append(_ change: QdiscChange, to interface: Int32, sequence: UInt32) {
        var header = tcmsg()
        header.tcm_ifindex = interface
        header.tcm_parent = TC_H_ROOT
        header.tcm_handle = UInt32(HTBTree.major) << 16
        let create = NLM_F_CREATE | NLM_F_EXCL
        switch change {
        case .addRoot:
            append(RTM_NEWQDISC, flags: create, header, sequence: sequence) { batch in
                batch.kind("htb")
                batch.nest(TCA_OPTIONS) {
                    let version: UInt32 = 3
                    $0.attribute(
                        TCA_HTB_INIT,
                        tc_htb_glob(
                            version: version, rate2quantum: 10, defcls: UInt32(HTBTree.defaultMinor), debug: 0, direct_pkts: 0))
                }
            }
        case .removeRoot: append(RTM_DELQDISC, flags: 0, header, sequence: sequence) { _ in }
        case .removeForeign(let recipe):
            header.tcm_handle = recipe.handle
            append(RTM_DELQDISC, flags: 0, header, sequence: sequence) { _ in }
        case .restoreForeign(let recipe):
            header.tcm_handle = recipe.handle
            append(RTM_NEWQDISC, flags: create, header, sequence: sequence) { batch in
                batch.kind(recipe.kind)
                if let options = recipe.requestOptions { batch.attribute(TCA_OPTIONS, options) }
            }
        case .addClass(let added): append(added, RTM_NEWTCLASS, create, header, sequence)
        case .changeClass(let changed, _): append(changed, RTM_NEWTCLASS, 0, header, sequence)
        case .removeClass(let removed):
            header.tcm_handle |= UInt32(removed.minor)
            header.tcm_parent = 0
            append(RTM_DELTCLASS, flags: 0, header, sequence: sequence) { _ in }
        }
    }

    private mutating func append(_ wanted: HTBClass, _ type: Int, _ flags: Int32, _ header: tcmsg, _ sequence: UInt32) {
        var header = header
        header.tcm_parent = header.tcm_handle | UInt32(wanted.parent)
        header.tcm_handle |= UInt32(wanted.minor)
        var options = tc_htb_opt()
        options.rate = Self.ratespec(wanted.rate, wanted.overhead)
        options.ceil = Self.ratespec(wanted.ceiling, wanted.overhead)
        options.buffer = wanted.buffer
        options.cbuffer = wanted.ceilingBuffer
        options.quantum = wanted.quantum
        options.prio = wanted.priority
        // The kernel computes one, and complains of most that it computes, where it is told none.
        if options.quantum == 0 { options.quantum = 10_000 }
        append(type, flags: flags, header, sequence: sequence) { batch in
            batch.kind("htb")
            batch.nest(TCA_OPTIONS) {
                if wanted.rate > UInt64(UInt32.max) { $0.attribute(TCA_HTB_RATE64, wanted.rate) }
                if wanted.ceiling > UInt64(UInt32.max) { $0.attribute(TCA_HTB_CEIL64, wanted.ceiling) }
                $0.attribute(TCA_HTB_PARMS, options)
            }
        }
    }

    private mutating func kind(_ name: String) { attribute(TCA_KIND, Array(name.utf8) + [0]) }

    private static func ratespec(_ bytesPerSecond: UInt64, _ overhead: UInt16) -> tc_ratespec {
        var spec = tc_ratespec()
        spec.rate = UInt32(clamping: bytesPerSecond)
        spec.overhead = overhead
        spec.linklayer = linkLayerEthernet
        return spec
    }
}

extension QdiscRecipe {
    /// TCA_OPTIONS that makes the qdisc whose TCA_OPTIONS were read; nil where it takes none.
    var requestOptions: [UInt8]? {
        switch kind {
        case "pfifo_fast": nil  // It shows the fixed map of priorities, and takes nothing.
        case "fq_codel": Self.codelTimes(options, [TCA_FQ_CODEL_TARGET, TCA_FQ_CODEL_INTERVAL, TCA_FQ_CODEL_CE_THRESHOLD])
        default: options
        }
    }

    /// CoDel's times are kept in units of 1024 ns and shown in whole microseconds, cut off: one more makes the same unit again.
    private static func codelTimes(_ options: [UInt8], _ types: [Int]) -> [UInt8] {
        var result = options
        var offset = 0
        while offset + 8 <= result.count {
            let (length, type, value) = result.withUnsafeBytes {
                (
                    Int($0.loadUnaligned(fromByteOffset: offset, as: UInt16.self)),
                    Int($0.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)),
                    $0.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                )
            }
            guard length >= 4 else { break }
            if types.contains(type), length == 8 {
                let at = offset + 4
                result.withUnsafeMutableBytes { $0.storeBytes(of: value &+ 1, toByteOffset: at, as: UInt32.self) }
            }
            offset += netlinkAligned(length)
        }
        return result
    }
}

extension NetlinkSocket {
    /// Carries changes out in order, many at a time. All or nothing: when one is refused, those that went well are taken back. What is to go
    /// and has gone meanwhile is no refusal.
    ///
    /// - Parameter progress: how many of them have been carried out.
    /// - Throws: the first refusal, with the command that a person would have typed; and what could not be taken back, if anything.
    public func apply(_ changes: [QdiscChange], to interface: Int32, progress: (Int) -> Void = { _ in }) throws(NetlinkError) {
        var done: [QdiscChange] = []
        done.reserveCapacity(changes.count)
        var refusal: NetlinkError?
        for start in stride(from: 0, to: changes.count, by: NetlinkBatch.most) where refusal == nil {
            let part = changes[start..<min(start + NetlinkBatch.most, changes.count)]
            for (change, outcome) in zip(part, try carryOut(part, interface)) {
                if let outcome, try !isGone(change, outcome.code, interface) { refusal = refusal ?? outcome } else { done.append(change) }
            }
            progress(done.count)
        }
        if refusal == nil { refusal = try differenceAfterRestoring(changes, interface) }
        guard var refusal else { return }
        for change in done.reversed() {
            for (step, outcome) in zip(change.undo, try carryOut(change.undo[...], interface)) {
                guard let outcome else { continue }
                refusal.detail += "; then \(step.command(on: "link \(interface)")): \(outcome)"
            }
        }
        throw refusal
    }

    private func carryOut(_ changes: ArraySlice<QdiscChange>, _ interface: Int32) throws(NetlinkError) -> [NetlinkError?] {
        var outcomes: [NetlinkError?] = []
        for start in stride(from: changes.startIndex, to: changes.endIndex, by: NetlinkBatch.most) {
            let part = changes[start..<min(start + NetlinkBatch.most, changes.endIndex)]
            var batch = NetlinkBatch()
            for change in part { batch.append(change, to: interface, sequence: nextSequence()) }
            outcomes += try run(batch) { part[part.startIndex + $0].command(on: "link \(interface)") }
        }
        return outcomes
    }

    /// What was to be removed is not there: somebody else was quicker, and the removal is done.
    private func isGone(_ change: QdiscChange, _ code: Int32, _ interface: Int32) throws(NetlinkError) -> Bool {
        // EINVAL: another qdisc stands in its place; ENODEV: the interface has gone with all it had.
        guard [ENOENT, ESRCH, EINVAL, ENODEV].contains(code) else { return false }
        switch change {
        case .removeRoot: return try !rootHandles(of: interface).contains(UInt32(HTBTree.major) << 16)
        case .removeForeign(let recipe): return try !rootHandles(of: interface).contains(recipe.handle)
        case .removeClass(let removed):
            return try !classes(of: interface).filter(\.isOurs).contains { $0.parameters.minor == removed.minor }
        case .addRoot, .restoreForeign, .addClass, .changeClass: return false
        }
    }

    private func rootHandles(of interface: Int32) throws(NetlinkError) -> [UInt32] {
        try qdiscs(of: interface).filter(\.isRoot).map(\.handle)
    }

    /// A foreign qdisc that came back must be what it was.
    private func differenceAfterRestoring(_ changes: [QdiscChange], _ interface: Int32) throws(NetlinkError) -> NetlinkError? {
        guard case .restoreForeign(let recipe)? = changes.last else { return nil }
        let now = try qdiscs(of: interface).first(where: \.isRoot)
        if now?.kind == recipe.kind, now?.handle == recipe.handle, now?.options == recipe.options { return nil }
        return NetlinkError(
            "restore the \(recipe.kind) qdisc of link \(interface)", code: EIO, detail: "the kernel shows other parameters than before")
    }
}
