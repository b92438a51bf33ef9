import CLinux
import Datapath
import Flows
import Glibc
import NetworkTypes

/// What an agent costs that has 100,000 flows in its table and nothing to do: measured in a process of its own.
func measureIdleAgent(_ plan: Plan, _ results: Results) throws {
    var ends: [Int32] = [0, 0]
    guard lx_pipe_cloexec(&ends) == 0 else { throw BenchError("make a pipe", errno: errno) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    let words = arguments(["nilo-bench", IdleAgent.argument, "\(plan.idleSeconds)"])
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, words, environ)
    close(ends[1])
    if code != 0 { throw BenchError("start an agent's loop", errno: code) }
    var answer = [UInt8](repeating: 0, count: 256)
    var length = 0
    while length < answer.count {
        let count = answer.withUnsafeMutableBytes { read(ends[0], $0.baseAddress! + length, $0.count - length) }
        if count <= 0 { break }
        length += count
    }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    let figures = String(decoding: answer[..<length], as: UTF8.self).split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
    guard status == 0, figures.count == 3 else { throw BenchError("the idle agent's loop failed with status \(status)") }
    results.add("idle_cpu_percent", figures[0], .atMost(0.5))
    results.add("private_mb", figures[1], .atMost(60))
    results.add("map_memory_mb", figures[2])
    results.remark(
        "idle, private: datapath, reader and flow table with 100,000 flows, read and aged once a second; without the agent's servers.")
}

enum IdleAgent {
    static let argument = "--as-idle-agent"
    private static let flows = 100_000

    /// Runs the loop and prints CPU percent, private megabytes and map megabytes. Returns the exit status.
    static func run(seconds duration: Int) -> Int32 {
        do {
            let bed = try Testbed()
            try fill(bed)
            guard try bed.account().overflow == 0, bed.table.count == flows else {
                throw BenchError("\(bed.table.count) flows in the table")
            }
            let start = (wallSeconds(), processSeconds())
            for second in 1...duration {
                sleep(1)
                _ = try bed.reader.collect(into: &bed.table, tick: UInt32(second)) { _ in }
                bed.table.expire(
                    now: .now, idle: .seconds(600), ended: .seconds(600), active: .seconds(1800), share: 0.1, onActive: { _ in },
                    onClose: { _ in })
            }
            let percent = 100 * (processSeconds() - start.1) / (wallSeconds() - start.0)
            print(fixed(percent, 4), fixed(try privateBytes() / 1e6, 3), fixed(Double(bed.maps.bytes) / 1e6, 1))
            return 0
        } catch {
            say("nilo-bench: idle agent: \(error)")
            return 1
        }
    }

    /// Half of the flows on each of two CPUs, as receive queues spread them.
    private static func fill(_ bed: Testbed) throws {
        for cpu in 0..<CPU.count {
            try stay(on: cpu)
            let share = flows / CPU.count + (cpu < flows % CPU.count ? 1 : 0)
            bed.meet(.uniform(share, from: cpu << 24))
            _ = try bed.run(.nilo, times: FlowOrder.count)
            _ = try bed.collect()
        }
    }

    /// Anonymous memory in use: what no other process has and no map of the datapath is.
    private static func privateBytes() throws -> Double {
        guard let line = text(of: "/proc/self/status")?.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Double($0) })
        else { throw BenchError("no RssAnon in /proc/self/status") }
        return kilobytes * 1024
    }

    private static func processSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }
}
