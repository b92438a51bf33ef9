import Foundation
import Testing

struct TopologyBenchmarkTests {
    /// `TOPOLOGY_BENCHMARK=1 swift test -c release -Xswiftc -enable-testing --filter TopologyBenchmarkTests`
    @Test(.enabled(if: ProcessInfo.processInfo.environment["TOPOLOGY_BENCHMARK"] != nil, "asked for by TOPOLOGY_BENCHMARK"))
    func printsWhatACommitTakes() { TopologyBenchmark.run() }
}

/// Resident memory of this process (proc_pid_statm(5)).
var residentBytes: Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * sysconf(Int32(_SC_PAGESIZE))
}
