import CDatapath
import CLibBPF
import CLinux
import Flows
import Glibc

/// Tries what the datapath needs of the kernel, with maps of its own that end with the call. Nothing of the host is touched.
public enum DatapathProbe {
    /// What loading the flow programs showed.
    public struct Loading: Sendable {
        public var supportsTCX: Bool
        /// Turned into the machine's own instructions, or interpreted.
        public var isCompiled: Bool
        /// Until all programs were loaded: the verifier's time for the most part.
        public var duration: Duration
        /// nil when the programs could be attached to a clsact qdisc.
        public var clsactProblem: String?
    }

    /// Loads the flow programs around a table of the smallest size, and attaches one by clsact in a network namespace made for it.
    /// - Throws: `BPFError` with the verifier's words when they do not load.
    public static func load() throws(BPFError) -> Loading {
        libbpf_set_print(nil)
        let clock = ContinuousClock()
        let start = clock.now
        let maps = try SharedMaps(geometry: TableGeometry(flows: 1024, logRecordsPerCPU: 256, ledgers: 16, ghosts: 64), seed: 0)
        let program = try FlowProgram(maps: maps)
        let duration = clock.now - start
        let ingress = program.ingress
        let problem = inNewNamespace { () throws(BPFError) in
            // The loopback: the one interface that a new namespace has.
            _ = try ClsactFilter.addQdisc(ifindex: 1)
            try ClsactFilter(ifindex: 1, direction: .ingress, priority: 1).attach(program: ingress)
        }
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        try check(bpf_obj_get_info_by_fd(ingress, &info, &size), "ask a program for its size")
        return withExtendedLifetime(program) {
            Loading(
                supportsTCX: TCXLink.isSupported(program: ingress), isCompiled: info.jited_prog_len > 0, duration: duration,
                clsactProblem: problem.map { "\($0)" })
        }
    }

    /// Runs `body` on a thread that is in a network namespace of its own, and ends with it; the namespace ends too.
    private static func inNewNamespace(_ body: @escaping @Sendable () throws(BPFError) -> Void) -> BPFError? {
        let work = Work(body)
        var thread = pthread_t()
        let entry: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
            Unmanaged<Work>.fromOpaque(raw!).takeUnretainedValue().run()
            return nil
        }
        return withExtendedLifetime(work) {
            let code = pthread_create(&thread, nil, entry, Unmanaged.passUnretained(work).toOpaque())
            if code != 0 { return BPFError("start a thread", code: code) }
            pthread_join(thread, nil)
            return work.failure
        }
    }

    /// Unchecked: the thread writes `failure`, and it is read only after the thread has been joined.
    private final class Work: @unchecked Sendable {
        private let body: @Sendable () throws(BPFError) -> Void
        private(set) var failure: BPFError?

        init(_ body: @escaping @Sendable () throws(BPFError) -> Void) { self.body = body }

        func run() {
            guard lx_unshare_net() == 0 else {
                failure = BPFError("make a network namespace", code: errno)
                return
            }
            do throws(BPFError) { try body() } catch { failure = error }
        }
    }

    /// The names of the programs that tcx links have put on an interface, in their order. There is no tc command; `bpftool net show dev DEV`.
    /// - Throws: `BPFError`; EINVAL where the kernel has no tcx.
    /// - Precondition: the calling thread is in the interface's namespace.
    public static func tcxPrograms(ifindex: UInt32, _ direction: Direction) throws(BPFError) -> [String] {
        var ids = [UInt32](repeating: 0, count: 64)
        let type = direction == .ingress ? KernelConstants.tcxIngress : KernelConstants.tcxEgress
        var attr = bpf_attr()  // struct bpf_attr, query
        let (result, count) = ids.withUnsafeMutableBytes { ids in
            withUnsafeMutableBytes(of: &attr) { bytes in
                bytes.storeBytes(of: ifindex, toByteOffset: 0, as: UInt32.self)
                bytes.storeBytes(of: type.rawValue, toByteOffset: 4, as: UInt32.self)
                bytes.storeBytes(of: UInt64(UInt(bitPattern: ids.baseAddress)), toByteOffset: 16, as: UInt64.self)
                bytes.storeBytes(of: 64, toByteOffset: 24, as: UInt32.self)
            }
            let result = lx_bpf(Int32(BPF_PROG_QUERY.rawValue), &attr, 64)
            return (result, withUnsafeBytes(of: &attr) { $0.load(fromByteOffset: 24, as: UInt32.self) })
        }
        // ENOENT: nothing is attached. ENOSPC: there are more; the first 64 do.
        if result < 0 && errno == ENOENT { return [] }
        if result < 0 && errno != ENOSPC { throw BPFError("ask interface \(ifindex) for its tcx programs", code: errno) }
        var names: [String] = []
        for id in ids.prefix(Int(min(count, 64))) where id != 0 {
            do { names.append(try ClsactFilter.programName(id: id)) } catch  where error.code == ENOENT { continue }
        }
        return names
    }

    /// Is this the name of a flow program of ours?
    public static func isOwnProgram(_ name: String) -> Bool { ClsactFilter.programNames.contains(name) }

    /// How long a jiffy is, the resolution of first and last seen.
    public static var jiffy: Duration { .nanoseconds(JiffyClock.nanosecondsPerJiffy) }

    /// The version of the pinned records that this program reads and writes.
    public static var recordVersion: UInt32 { UInt32(NILO_ABI_VERSION) }

    public static var possibleCPUs: Int { Int(max(1, libbpf_num_possible_cpus())) }
}

extension TableGeometry {
    /// Memory that maps of this size take in the kernel, bytes.
    public func bytes(cpus: Int) -> Int { config(cpus: cpus, seed: 0, features: 0, vxlanPorts: (0, 0)).bytes }
}

extension nilo_config {
    /// Memory that the kernel holds for the maps of fixed size, bytes.
    var bytes: Int {
        setCount * (MemoryLayout<nilo_flow_set>.size + MemoryLayout<nilo_seen_set>.size) + slotCount * MemoryLayout<nilo_flow_slot>.size
            + logCount * MemoryLayout<nilo_spill>.size + ledgerCount * MemoryLayout<nilo_ledger>.size + (Int(ghosts_mask) + 1) * 8
            + Int(cpus) * (sampleRingBytes + Int(NILO_SAMPLERS) * MemoryLayout<nilo_sampler>.size)
    }
}
