import Testing

@testable import Agent

struct HostReadingTests {
    @Test func cpuTimeIsBusyOrNot() {
        // user nice system idle iowait irq softirq steal guest: the last is in the first already.
        let read = HostMeter.cpu("cpu  100 20 30 400 50 6 7 8 90 0\ncpu0 1 2 3 4\n")
        #expect(read?.busy == 100 + 20 + 30 + 6 + 7 + 8 && read?.all == 621)
        #expect(HostMeter.cpu("intr 5") == nil && HostMeter.cpu("") == nil && HostMeter.cpu("cpu 1 2 3") == nil)
    }

    @Test func memoryIsWhatIsNotAvailable() {
        #expect(HostMeter.memory("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   400 kB\n") == 600 * 1024)
        #expect(HostMeter.memory("MemTotal: 1000 kB\n") == nil && HostMeter.memory("MemTotal: 1 kB\nMemAvailable: 2 kB") == nil)
    }

    /// A disk is counted once, whatever is on it.
    @Test func disksAreCountedWithoutTheirParts() {
        let text = """
               8       0 sda 100 0 1000 0 200 0 3000 0 0 0 0
               8       1 sda1 90 0 900 0 100 0 2000 0 0 0 0
              65     160 sdaa 1 0 7 0 1 0 9 0 0 0 0
             259       0 nvme0n1 1 0 50 0 1 0 60 0 0 0 0
             259       1 nvme0n1p1 1 0 50 0 1 0 60 0 0 0 0
             253       0 dm-0 1 0 5000 0 1 0 6000 0 0 0 0
               7       0 loop0 1 0 5000 0 1 0 6000 0 0 0 0
            """
        let read = HostMeter.disks(text)
        #expect(read.read == 1057 && read.written == 3069)
    }

    @Test func theHostIsRead() {
        var meter = HostMeter()
        let first = meter.read(flows: 3)
        #expect(first.cpuPercent == nil && first.readBytes == nil && (first.memoryBytes ?? 0) > 0 && (first.spaceBytes ?? 0) > 0)
        var sum = 0.0
        for number in 0..<20_000_000 { sum += Double(number & 7) }
        let second = meter.read(flows: 4)
        #expect(sum > 0 && second.flows == 4 && (second.cpuPercent ?? 0) >= 0 && (second.cpuPercent ?? 0) <= 100)
        var keys: [String] = []
        second.forEachSeries { key, _ in keys.append(key.text) }
        #expect(keys.contains("level>cpu") && keys.contains("level>memory") && keys.contains("level>space") && keys.contains("level>flows"))
        #expect(keys.allSatisfy { SeriesKey($0)?.hostGauge != nil })
    }
}
