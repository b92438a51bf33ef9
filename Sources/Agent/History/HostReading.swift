import Glibc

/// What is measured of the host itself.
enum HostGauge: String, CaseIterable, Sendable {
    /// Of all CPUs, percent.
    case cpu
    /// Used, as `free` says: all that is not available to new programs. Bytes.
    case memory
    /// Of all disks, bytes: forward what was read, backward what was written.
    case disk
    /// Used on the root file system, bytes.
    case space
    /// Flows in the table.
    case flows

    var isCounter: Bool { self == .disk }

    /// More than that there is not, whatever a model makes of noise; nil where nothing is known to bound it.
    var most: Double? {
        switch self {
        case .cpu: 100
        case .memory: Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
        case .space: HostMeter.wholeSpace
        case .disk, .flows: nil
        }
    }
}

/// How busy the host was in a second: proc(5), statvfs(3).
struct HostReading: Sendable, Equatable {
    enum Value: Sendable, Equatable {
        case count(UInt64)
        case level(Double)
    }

    var cpuPercent: Double?
    var memoryBytes: UInt64?
    var readBytes: UInt64?
    var writtenBytes: UInt64?
    var spaceBytes: UInt64?
    var flows = 0

    func forEachSeries(_ body: (SeriesKey, Value) -> Void) {
        func tell(_ gauge: HostGauge, _ value: Value?, isBackward: Bool = false) {
            guard let value else { return }
            body(SeriesKey(gauge.rawValue, gauge.isCounter ? .bits : .level, isBackward: isBackward), value)
        }
        tell(.cpu, cpuPercent.map { .level($0) })
        tell(.memory, memoryBytes.map { .level(Double($0)) })
        tell(.disk, readBytes.map { .count($0) })
        tell(.disk, writtenBytes.map { .count($0) }, isBackward: true)
        tell(.space, spaceBytes.map { .level(Double($0)) })
        tell(.flows, .level(Double(flows)))
    }
}

/// Reads the kernel's counters of CPU time and disks, and tells what came since the last time.
struct HostMeter {
    private struct Counters {
        var busy: UInt64 = 0
        var all: UInt64 = 0
        var readSectors: UInt64 = 0
        var writtenSectors: UInt64 = 0
    }

    private var before: Counters?

    mutating func read(flows: Int) -> HostReading {
        var reading = HostReading(memoryBytes: Self.memory(SystemFiles.read("/proc/meminfo") ?? ""), spaceBytes: Self.space, flows: flows)
        guard let cpu = Self.cpu(SystemFiles.read("/proc/stat") ?? "") else { return reading }
        let disks = Self.disks(SystemFiles.read("/proc/diskstats") ?? "")
        let now = Counters(busy: cpu.busy, all: cpu.all, readSectors: disks.read, writtenSectors: disks.written)
        defer { before = now }
        guard let before else { return reading }
        // Idle time may step back (proc(5), iowait): then there is nothing to tell.
        if now.all > before.all, now.busy >= before.busy, now.all - before.all >= now.busy - before.busy {
            reading.cpuPercent = 100 * Double(now.busy - before.busy) / Double(now.all - before.all)
        }
        // A disk that was taken out takes its counts along.
        if now.readSectors >= before.readSectors { reading.readBytes = (now.readSectors - before.readSectors) * 512 }
        if now.writtenSectors >= before.writtenSectors { reading.writtenBytes = (now.writtenSectors - before.writtenSectors) * 512 }
        return reading
    }

    /// Clock ticks of all CPUs.
    static func cpu(_ stat: String) -> (busy: UInt64, all: UInt64)? {
        guard let line = stat.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
        // user nice system idle iowait irq softirq steal; guest time is in user time already.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { UInt64($0) }
        guard ticks.count >= 4 else { return nil }
        let all = ticks.reduce(0, &+)
        let idle = ticks[3] &+ (ticks.count > 4 ? ticks[4] : 0)
        return (all &- idle, all)
    }

    static func memory(_ meminfo: String) -> UInt64? {
        func kilobytes(_ name: String) -> UInt64? {
            let line = meminfo.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
        }
        guard let all = kilobytes("MemTotal"), let available = kilobytes("MemAvailable"), available <= all else { return nil }
        return (all - available) * 1024
    }

    /// Sectors of 512 bytes. Parts of disks, and what is made of disks (loop, RAM, device mapper, RAID), would count twice.
    static func disks(_ diskstats: String) -> (read: UInt64, written: UInt64) {
        var sum: (read: UInt64, written: UInt64) = (0, 0)
        var whole: [Substring] = []
        for line in diskstats.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 10, let read = UInt64(fields[5]), let written = UInt64(fields[9]) else { continue }
            let name = fields[2]
            let isMade = ["loop", "ram", "zram", "dm-", "md", "sr", "fd"].contains { name.hasPrefix($0) }
            guard !isMade, !whole.contains(where: { isPart(name, of: $0) }) else { continue }
            whole.append(name)
            sum.read &+= read
            sum.written &+= written
        }
        return sum
    }

    /// Partitions follow their disk: sda1, nvme0n1p1.
    private static func isPart(_ name: Substring, of disk: Substring) -> Bool {
        guard name.hasPrefix(disk), name != disk else { return false }
        let rest = name.dropFirst(disk.count)
        return (rest.first == "p" ? rest.dropFirst() : rest).allSatisfy(\.isNumber)
    }

    fileprivate static var wholeSpace: Double? {
        var status = statvfs()
        return statvfs("/", &status) == 0 ? Double(status.f_blocks) * Double(status.f_frsize) : nil
    }

    private static var space: UInt64? {
        var status = statvfs()
        guard statvfs("/", &status) == 0 else { return nil }
        return UInt64(status.f_blocks - status.f_bfree) * UInt64(status.f_frsize)
    }
}
