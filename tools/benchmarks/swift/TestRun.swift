import CLibBPF
import Glibc

/// Runs a loaded program on one frame, many times, in the kernel. Returns nanoseconds per run as the kernel measured them.
func testRun(program: Int32, frame: [UInt8], times: Int) throws -> Double {
    var frame = frame
    var options = bpf_test_run_opts()
    options.sz = MemoryLayout<bpf_test_run_opts>.size
    options.repeat = Int32(times)
    let size = UInt32(frame.count)
    let result = frame.withUnsafeMutableBytes { bytes in
        options.data_in = UnsafeRawPointer(bytes.baseAddress)
        options.data_size_in = size
        return bpf_prog_test_run_opts(program, &options)
    }
    guard result == 0 else { throw BenchError(what: "test run: \(String(cString: strerror(-result)))") }
    return Double(options.duration)
}

struct BenchError: Error, CustomStringConvertible {
    var what: String
    var description: String { what }
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
