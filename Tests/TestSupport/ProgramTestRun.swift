import CLibBPF
import CLinux
import Glibc

/// What the kernel is told of the packet besides its bytes (`__sk_buff` as BPF_PROG_TEST_RUN takes it: it refuses
/// what is not here, VLAN fields among it).
public struct PacketContext: Sendable {
    /// An interface of the calling thread's namespace; 0 and 1 both stand for its `lo`.
    public var interface: UInt32 = 0
    public var ingressInterface: UInt32 = 0
    public var mark: UInt32 = 0
    public var priority: UInt32 = 0
    /// The segments of a super-packet, and payload bytes per segment.
    public var segments: UInt32 = 0
    public var segmentSize: UInt32 = 0
    /// Not less than the packet's length, or 0.
    public var wireLength: UInt32 = 0

    public init() {}

    public init(_ change: (inout PacketContext) -> Void) { change(&self) }

    fileprivate var record: __sk_buff {
        var record = __sk_buff()
        record.ifindex = interface
        record.ingress_ifindex = ingressInterface
        record.mark = mark
        record.priority = priority
        record.gso_segs = segments
        record.gso_size = segmentSize
        record.wire_len = wireLength
        return record
    }
}

/// One BPF_PROG_TEST_RUN of a tc program (SCHED_CLS).
public struct ProgramTestRun: Sendable {
    /// What the program returned the last time.
    public var result: Int32
    /// Mean time of a run.
    public var nanoseconds: UInt32
    /// The packet as the program left it.
    public var packet: [UInt8]

    /// The least length to which a frame can be cut before newer kernels refuse it (EINVAL): an Ethernet header, and where its
    /// type is IPv4 or IPv6 that header's fixed part. Shorter ones must be sent over a device; or put a VLAN tag before the IP
    /// header, for then the kernel does not look.
    public static func leastLength(of frame: [UInt8]) -> Int {
        precondition(frame.count >= 14)
        return switch (frame[12], frame[13]) {
        case (0x08, 0x00): 34
        case (0x86, 0xdd): 54
        default: 14
        }
    }

    /// Runs `program` on `packet` from the calling thread, whose namespace a context's interface index is looked up in
    /// and whose CPU the program runs on.
    ///
    /// - Parameters:
    ///   - packet: an Ethernet frame of at least `leastLength`. The tags of a VLAN stay in the bytes.
    ///   - repetitions: runs on the same packet.
    ///   - context: nil for an empty one.
    public init(_ program: Int32, _ packet: [UInt8], repetitions: Int = 1, context: PacketContext? = nil) throws {
        var output = [UInt8](repeating: 0, count: packet.count + 256)
        var input = packet
        var record = context?.record ?? __sk_buff()
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        options.repeat = Int32(repetitions)
        options.data_size_in = UInt32(packet.count)
        options.data_size_out = UInt32(output.count)
        let failure = input.withUnsafeMutableBytes { input in
            output.withUnsafeMutableBytes { output in
                withUnsafeMutablePointer(to: &record) { record in
                    options.data_in = UnsafeRawPointer(input.baseAddress)
                    options.data_out = output.baseAddress
                    if context != nil {
                        options.ctx_in = UnsafeRawPointer(record)
                        options.ctx_size_in = UInt32(MemoryLayout<__sk_buff>.size)
                    }
                    return bpf_prog_test_run_opts(program, &options)
                }
            }
        }
        if failure != 0 { throw SystemError("BPF_PROG_TEST_RUN of \(packet.count) bytes", errno: -failure) }
        result = Int32(bitPattern: options.retval)
        nanoseconds = options.duration
        self.packet = Array(output[..<Int(options.data_size_out)])
    }
}

/// A program of a few instructions, for tests and for finding out what the kernel can do. Unloaded when released.
public final class TinyProgram: Sendable {
    public let descriptor: Int32

    /// `return TC_ACT_UNSPEC`: passes the packet on.
    public static func passing() throws -> TinyProgram { try TinyProgram([mov(0, -1), exit], license: "GPL") }
    /// `return TC_ACT_SHOT`: drops the packet.
    public static func dropping() throws -> TinyProgram { try TinyProgram([mov(0, 2), exit], license: "GPL") }
    /// Returns a 32-bit field of `__sk_buff`, given its offset.
    public static func returning(fieldAt offset: Int) throws -> TinyProgram {
        // r0 = *(u32 *)(r1 + offset)
        try TinyProgram([0x61 | 1 << 12 | UInt64(offset) << 16, exit], license: "GPL")
    }

    /// A tracing program on the raw tracepoint `name` (tp_btf) that does nothing.
    static func tracing(_ name: String) throws -> TinyProgram {
        let type = libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP)
        if type < 0 { throw SystemError("find the type of tracepoint \(name)", errno: -type) }
        return try TinyProgram([mov(0, 0), exit], license: "GPL", type: BPF_PROG_TYPE_TRACING) {
            $0.expected_attach_type = BPF_TRACE_RAW_TP
            $0.attach_btf_id = UInt32(type)
        }
    }

    private static let exit: UInt64 = 0x95
    private static func mov(_ register: UInt64, _ value: Int32) -> UInt64 { 0xb7 | register << 8 | UInt64(UInt32(bitPattern: value)) << 32 }

    private init(
        _ instructions: [UInt64], license: String, type: bpf_prog_type = BPF_PROG_TYPE_SCHED_CLS,
        _ change: (inout bpf_prog_load_opts) -> Void = { _ in }
    ) throws {
        var options = bpf_prog_load_opts()
        options.sz = MemoryLayout<bpf_prog_load_opts>.size
        change(&options)
        let loaded = instructions.withUnsafeBytes {
            bpf_prog_load(type, "tiny", license, $0.bindMemory(to: bpf_insn.self).baseAddress, instructions.count, &options)
        }
        if loaded < 0 { throw SystemError("BPF_PROG_LOAD", errno: -loaded) }
        descriptor = loaded
    }

    deinit { close(descriptor) }

    /// Attaches the program by a tcx link (kernel 6.6) and returns the link's descriptor; closing it detaches. The index is of the calling thread's namespace.
    public func attachTCX(_ interface: UInt32, ingress: Bool) throws -> Int32 {
        // BPF_TCX_INGRESS and BPF_TCX_EGRESS are newer than Debian 12's headers.
        let link = bpf_link_create(descriptor, Int32(interface), bpf_attach_type(rawValue: ingress ? 46 : 47), nil)
        if link < 0 { throw SystemError("BPF_LINK_CREATE (tcx)", errno: -link) }
        return link
    }
}
