import CDatapath
import CLibBPF
import Glibc

/// One loaded instance of the flow programs. It serves one network namespace: its port table is looked up by ifindex.
public final class FlowProgram {
    private let object: FlowObject

    /// - Parameter maps: shared with all other instances.
    public init(maps: SharedMaps) throws(BPFError) {
        object = try FlowObject(config: maps.config)
        try object.reuse(maps)
        try object.load("the flow programs")
    }

    public var ingress: Int32 { object.programDescriptor("nilo_ingress") }
    public var egress: Int32 { object.programDescriptor("nilo_egress") }
    package var clock: Int32 { object.programDescriptor("nilo_clock") }
    package var ports: Int32 { object.mapDescriptor("nilo_ports") }

    /// Tells the programs whose packets they see: mirror sessions of other namespaces do not apply to those.
    func setNamespace(_ cookie: UInt64) throws(BPFError) {
        var zero: UInt32 = 0
        var cookie = cookie
        try check(bpf_map_update_elem(object.mapDescriptor("nilo_namespace"), &zero, &cookie, 0), "name the namespace of the flow programs")
    }

    /// Tells the programs of an interface. Nothing is attached by this.
    /// - Precondition: the entry is free or holds the same ifindex.
    public func setPort(_ port: nilo_port) throws(BPFError) {
        var entry = port.ifindex & UInt32(NILO_PORTS - 1)
        var port = port
        try check(bpf_map_update_elem(ports, &entry, &port, 0), "register interface \(port.ifindex)")
    }

    /// Changes the rules' flags (`NILO_PORT_RULES_*`) of an interface that was told of.
    func setRules(_ rules: UInt32, ifindex: UInt32) throws(BPFError) {
        var entry = ifindex & UInt32(NILO_PORTS - 1)
        var port = nilo_port()
        try check(bpf_map_lookup_elem(ports, &entry, &port), "read the entry of interface \(ifindex)")
        port.flags = port.flags & ~(NILO_PORT_RULES_INGRESS.rawValue | NILO_PORT_RULES_EGRESS.rawValue) | rules
        try setPort(port)
    }

    public func clearPort(ifindex: UInt32) throws(BPFError) {
        var entry = ifindex & UInt32(NILO_PORTS - 1)
        var empty = nilo_port()
        try check(bpf_map_update_elem(ports, &entry, &empty, 0), "unregister interface \(ifindex)")
    }
}
