import CNetlink
import Policy

/// An HTB class as the kernel shows it (RTM_NEWTCLASS): one entry of `tc -s class show dev NAME`.
public struct ClassObservation: Sendable, Equatable {
    /// major << 16 | minor.
    public var classID: UInt32
    /// TC_H_ROOT for a class right below the qdisc.
    public var parent: UInt32
    public var kind = ""
    /// In the terms of a plan; `minor` and `parent` are those of the class, whoever's it is. Priority and quantum of leaves alone.
    public var parameters = HTBClass(minor: 0, rate: 0, ceiling: 0, buffer: 0, ceilingBuffer: 0)
    /// 0: a leaf.
    public var level: UInt32 = 0
    /// What was sent, and what waits.
    public var counters = QdiscCounters()
    /// Packets sent within the class's own rate, and with what a class above lent. 32 bits wide: take differences with `&-`.
    public var lent: UInt32 = 0
    public var borrowed: UInt32 = 0

    public var isOurs: Bool { kind == "htb" && UInt16(classID >> 16) == HTBTree.major }

    /// From the payload of RTM_NEWTCLASS; nil when it is shorter than its fixed header.
    package init?(_ payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(tcmsg.self) else { return nil }
        classID = header.tcm_handle
        parent = header.tcm_parent
        var options: UnsafeRawBufferPointer?
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<tcmsg>.size) {
            switch type {
            case TCA_KIND: kind = value.text
            case TCA_OPTIONS: options = value
            case TCA_STATS2:
                counters = QdiscCounters(value)
                for (type, value) in NetlinkAttributes(value) where type == TCA_STATS_APP {
                    lent = value.value(at: 0) ?? 0
                    borrowed = value.value(at: 4) ?? 0
                }
            default: break
            }
        }
        if kind == "htb", let options { readParameters(options) }
    }

    private mutating func readParameters(_ nest: UnsafeRawBufferPointer) {
        var rate: UInt64 = 0
        var ceiling: UInt64 = 0
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case TCA_HTB_PARMS:
                guard let options = value.value(tc_htb_opt.self) else { break }
                level = options.level
                rate = max(rate, UInt64(options.rate.rate))
                ceiling = max(ceiling, UInt64(options.ceil.rate))
                parameters = HTBClass(
                    minor: UInt16(truncatingIfNeeded: classID), parent: parent == TC_H_ROOT ? 0 : UInt16(truncatingIfNeeded: parent),
                    rate: 0, ceiling: 0, buffer: options.buffer, ceilingBuffer: options.cbuffer,
                    priority: level == 0 ? options.prio : 0, quantum: level == 0 ? options.quantum : 0, overhead: options.rate.overhead)
            case TCA_HTB_RATE64: rate = value.value() ?? 0
            case TCA_HTB_CEIL64: ceiling = value.value() ?? 0
            default: break
            }
        }
        parameters.rate = rate
        parameters.ceiling = ceiling
    }
}

/// What stands at the root of an interface.
public enum RootQdisc: Sendable, Equatable {
    /// Nothing that anyone asked for: the kernel's own choice (handle 0), as `noqueue`, `mq` or `fq_codel`.
    case kernelDefault(kind: String)
    case ours(HTBTree)
    /// Someone else's.
    /// - recipe: to make it again; nil with the reason why that cannot be.
    case foreign(kind: String, recipe: QdiscRecipe?, reason: String)
}

extension NetlinkSocket {
    /// `tc -s class show dev NAME`.
    public func classes(of interface: Int32) throws(NetlinkError) -> [ClassObservation] {
        var header = tcmsg()
        header.tcm_ifindex = interface
        return try dump(RTM_GETTCLASS, header, "dump the classes of link \(interface)") { message in
            message.type == RTM_NEWTCLASS ? ClassObservation(message.payload) : nil
        }
    }

    /// What stands at the root of an interface, with our classes where it is ours.
    public func rootQdisc(of interface: Int32) throws(NetlinkError) -> RootQdisc {
        let all = try qdiscs(of: interface)
        guard let root = all.first(where: \.isRoot), root.handle != 0 else {
            return .kernelDefault(kind: all.first(where: \.isRoot)?.kind ?? "noqueue")
        }
        if root.kind == "htb", root.handle >> 16 == UInt32(HTBTree.major) {
            return .ours(HTBTree(try classes(of: interface).filter(\.isOurs).map(\.parameters)))
        }
        let major = root.handle >> 16
        if !QdiscRecipe.replaceable.contains(root.kind) {
            return .foreign(kind: root.kind, recipe: nil, reason: "a \(root.kind) qdisc cannot be put back exactly as it was")
        }
        if let child = all.first(where: { !$0.isRoot && $0.parent >> 16 == major }) {
            return .foreign(kind: root.kind, recipe: nil, reason: "it holds a \(child.kind) qdisc")
        }
        if try hasFilters(of: interface, below: root.handle) {
            return .foreign(kind: root.kind, recipe: nil, reason: "it holds filters")
        }
        return .foreign(kind: root.kind, recipe: QdiscRecipe(kind: root.kind, handle: root.handle, options: root.options), reason: "")
    }

    /// `tc filter show dev NAME parent HANDLE`: is there any?
    private func hasFilters(of interface: Int32, below parent: UInt32) throws(NetlinkError) -> Bool {
        var header = tcmsg()
        header.tcm_ifindex = interface
        header.tcm_parent = parent
        return try !dump(RTM_GETTFILTER, header, "dump the filters of link \(interface)") { message in
            message.type == RTM_NEWTFILTER ? FilterObservation(message.payload) : nil
        }.isEmpty
    }
}
