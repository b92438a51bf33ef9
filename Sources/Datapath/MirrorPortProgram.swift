import CDatapath
import CLibBPF
import Flows
import Glibc

/// The programs of the mirror ports (`bpf/mirror_port.bpf.c`), loaded once for all of them.
///
/// They stand on the clsact qdisc of our own pair on every kernel: a filter lives as long as the device, so the port goes on working
/// without an agent, and needs no pin.
public final class MirrorPortProgram {
    private let object: OpaquePointer  // struct bpf_object *

    private static let sharedMaps = ["nilo_mirrors", "nilo_copies", "nilo_mirror_cap", "nilo_mirror_now"]

    public init(maps: SharedMaps) throws(BPFError) {
        var options = bpf_object_open_opts()
        // Up to the last field used here: libbpf wants zeros in padding that is said to be there.
        options.sz = MemoryLayout<bpf_object_open_opts>.offset(of: \.object_name)! + MemoryLayout<UnsafeRawPointer>.size
        let opened = "nilo_mirror".withCString { name in
            options.object_name = name
            return bpf_object__open_mem(nilo_mirror_port_object(), nilo_mirror_port_object_size(), &options)
        }
        guard let opened else { throw BPFError("open the mirror port's programs", code: errno) }
        do throws(BPFError) {
            for name in Self.sharedMaps {
                guard let map = bpf_object__find_map_by_name(opened, name) else { preconditionFailure("the mirror port lacks map \(name)") }
                try check(bpf_map__reuse_fd(map, maps.descriptor(name)), "reuse map \(name)")
            }
            try check(bpf_object__load(opened), "load the mirror port's programs")
        } catch {
            bpf_object__close(opened)
            throw error
        }
        object = opened
    }

    deinit { bpf_object__close(object) }

    /// tc qdisc add dev OUT clsact; tc filter replace dev OUT egress … ; the same for IN, ingress
    ///
    /// Exchanges the programs of an earlier agent in one step each.
    /// - Parameters:
    ///   - out: the end of the pair that copies are sent into.
    ///   - in: the other one.
    /// - Precondition: the calling thread is in the pair's namespace.
    public func attach(out: UInt32, in: UInt32) throws(BPFError) {
        for (filter, program) in filters(out: out, in: `in`) {
            _ = try ClsactFilter.addQdisc(ifindex: filter.ifindex)
            try filter.attach(program: program)
        }
    }

    /// Are both programs where ``attach(out:in:)`` put them?
    /// - Precondition: the calling thread is in the pair's namespace.
    public func isAttached(out: UInt32, in: UInt32) throws(BPFError) -> Bool {
        for (filter, program) in filters(out: out, in: `in`) {
            guard try filter.runs(program: program) else { return false }
        }
        return true
    }

    private func filters(out: UInt32, in: UInt32) -> [(ClsactFilter, program: Int32)] {
        let places: [(UInt32, Direction, String)] = [(`in`, .ingress, "nilo_mirror_in"), (out, .egress, "nilo_mirror_out")]
        return places.map { interface, direction, name in
            guard let program = bpf_object__find_program_by_name(object, name) else { preconditionFailure("the mirror port lacks \(name)") }
            return (ClsactFilter(ifindex: interface, direction: direction, priority: 1), program: bpf_program__fd(program))
        }
    }
}
