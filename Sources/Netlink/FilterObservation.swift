import CNetlink

/// A tc filter as the kernel shows it (RTM_NEWTFILTER): one entry of `tc filter show dev NAME ingress`.
public struct FilterObservation: Sendable, Equatable {
    /// `"bpf"`, `"u32"`, `"flower"`, …
    public var kind = ""
    /// Lower runs first.
    public var priority: UInt16
    /// Of the filter within its priority; its form depends on ``kind``. 0: a priority that holds no filter.
    public var handle: UInt32
    /// The EtherType it looks at, host order; 3 (`ETH_P_ALL`) for all.
    public var protocolNumber: UInt16
    public var chain: UInt32 = 0
    /// For `bpf`: the program.
    public var program: Program?

    /// The BPF program of a filter (TCA_BPF_*).
    public struct Program: Sendable, Equatable {
        /// The kernel's number, as in `bpftool prog show id N`; nil on classic BPF.
        public var id: UInt32?
        /// As given when it was attached: libbpf and iproute2 write `FILE-OR-NAME:[SECTION]` or the program's name.
        public var name = ""
        /// The hash of its instructions (`bpftool prog`'s tag); empty on classic BPF.
        public var tag: [UInt8] = []
        /// `direct-action`: its return value is the verdict.
        public var isDirectAction = false

        public init() {}
    }

    /// From the payload of RTM_NEWTFILTER; nil when it is shorter than its fixed header.
    package init?(_ payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(tcmsg.self) else { return nil }
        handle = header.tcm_handle
        priority = UInt16(truncatingIfNeeded: header.tcm_info >> 16)
        protocolNumber = UInt16(bigEndian: UInt16(truncatingIfNeeded: header.tcm_info))
        var options: UnsafeRawBufferPointer?
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<tcmsg>.size) {
            switch type {
            case TCA_KIND: kind = value.text
            case TCA_CHAIN: chain = value.value() ?? 0
            case TCA_OPTIONS: options = value
            default: break
            }
        }
        if kind == "bpf", let options { program = Program(options) }
    }
}

extension FilterObservation.Program {
    /// From TCA_OPTIONS of a `bpf` filter.
    fileprivate init(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case TCA_BPF_ID: id = value.value()
            case TCA_BPF_NAME: name = value.text
            case TCA_BPF_TAG: tag = Array(value)
            case TCA_BPF_FLAGS: isDirectAction = (value.value(UInt32.self) ?? 0) & UInt32(TCA_BPF_FLAG_ACT_DIRECT) != 0
            default: break
            }
        }
    }
}

/// Where on the clsact qdisc a filter sits.
public enum ClsactHook: Sendable, Hashable, CaseIterable {
    case ingress
    case egress

    var parent: UInt32 { (TC_H_CLSACT & 0xFFFF_0000) | (self == .ingress ? UInt32(TC_H_MIN_INGRESS) : UInt32(TC_H_MIN_EGRESS)) }
}

extension NetlinkSocket {
    /// `tc filter show dev NAME ingress` (or `egress`): every filter there, of every chain and owner; empty when there is no clsact qdisc.
    ///
    /// The kernel announces each priority once without a filter (handle 0); that line is kept only where no filter follows it.
    public func filters(of interface: Int32, at hook: ClsactHook) throws(NetlinkError) -> [FilterObservation] {
        var header = tcmsg()
        header.tcm_ifindex = interface
        header.tcm_parent = hook.parent
        let lines = try dump(RTM_GETTFILTER, header, "dump the \(hook) filters of link \(interface)") { message in
            message.type == RTM_NEWTFILTER ? FilterObservation(message.payload) : nil
        }
        struct Place: Hashable {
            var chain: UInt32
            var priority: UInt16
            init(_ filter: FilterObservation) { (chain, priority) = (filter.chain, filter.priority) }
        }
        let held = Set(lines.lazy.filter { $0.handle != 0 }.map(Place.init))
        return lines.filter { $0.handle != 0 || !held.contains(Place($0)) }
    }

    /// `tc filter show` finds nothing at either hook: the clsact qdisc can be removed without taking anything from anyone.
    public func isClsactEmpty(on interface: Int32) throws(NetlinkError) -> Bool {
        for hook in ClsactHook.allCases where try !filters(of: interface, at: hook).isEmpty { return false }
        return true
    }
}
