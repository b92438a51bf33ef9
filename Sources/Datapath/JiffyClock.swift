import CLibBPF
import Glibc
import NetworkTypes

/// Turns the jiffies that slots are stamped with into time of day. Resolution: one jiffy (4 ms at HZ=250, 1 ms at HZ=1000).
///
/// The coarse clocks advance once a jiffy, so their resolution is the jiffy's length.
struct JiffyClock {
    /// The same moment on both clocks.
    private let jiffies: UInt32
    private let time: Timestamp

    static let nanosecondsPerJiffy: Int64 = {
        var resolution = timespec()
        clock_getres(CLOCK_MONOTONIC_COARSE, &resolution)
        return Int64(resolution.tv_nsec)
    }()

    /// - Parameters:
    ///   - program: descriptor of `nilo_clock`.
    ///   - previous: goes on while it is right to the jiffy, so that one stamp means one time in every pass: a reading falls anywhere
    ///     within its jiffy, and packets of one jiffy would else change places.
    init(program: Int32, previous: JiffyClock? = nil) throws(BPFError) {
        var frame = [UInt8](repeating: 0, count: 64)
        var options = bpf_test_run_opts()
        // Up to the last field known here: libbpf wants zeros in padding that is said to be there.
        options.sz = MemoryLayout<bpf_test_run_opts>.offset(of: \.batch_size)! + MemoryLayout<UInt32>.size
        let size = UInt32(frame.count)
        let result = frame.withUnsafeMutableBytes { bytes in
            options.data_in = UnsafeRawPointer(bytes.baseAddress)
            options.data_size_in = size
            return bpf_prog_test_run_opts(program, &options)
        }
        try check(result, "read the kernel's clock")
        jiffies = options.retval
        let now = Timestamp.now
        let expected = previous?.time(ofJiffies: options.retval) ?? now
        time = abs(now.nanoseconds - expected.nanoseconds) <= Self.nanosecondsPerJiffy ? expected : now
    }

    init(jiffies: UInt32, time: Timestamp) {
        self.jiffies = jiffies
        self.time = time
    }

    func time(ofJiffies stamp: UInt32) -> Timestamp {
        let ago = Int64(Int32(truncatingIfNeeded: jiffies &- stamp))
        return Timestamp(nanoseconds: time.nanoseconds - ago * Self.nanosecondsPerJiffy)
    }
}

extension Timestamp {
    /// Time of day, now.
    public static var now: Timestamp {
        var t = timespec()
        clock_gettime(CLOCK_REALTIME, &t)
        return Timestamp(nanoseconds: Int64(t.tv_sec) * 1_000_000_000 + Int64(t.tv_nsec))
    }
}
