import CBench
import CDatapath
import CLibBPF
import Datapath
import Flows
import Glibc

@main struct Bench {
    static func main() throws {
        let maps = try SharedMaps(geometry: TableGeometry(), seed: 0x1234_5678_9abc_def1)
        let object = try FlowObject(config: maps.config, image: .init(bytes: bench_object(), size: bench_object_size()))
        try object.reuse(maps)
        try object.load("bench")
        let program = try FlowProgram(maps: maps)
        var frame = [UInt8](repeating: 0, count: 60)
        frame[12] = 0x08
        frame[14] = 0x45; frame[17] = 40; frame[22] = 64; frame[23] = CommandLine.arguments.contains("udp") ? 17 : 6
        frame[30] = 10; frame[33] = 2
        frame[34] = 0x30; frame[37] = 80; frame[46] = 0x50; frame[47] = 0x10; frame[48] = 1
        let reader = try SlotReader(maps: maps, program: program)
        var table = FlowTable(limit: 2_000_000)
        let order = mmap(nil, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, object.mapDescriptor("bench_order"), 0)!.assumingMemoryBound(to: UInt64.self)
        var random = SystemRandomNumberGenerator()
        for flows in [1, 131_072, 1 << 20] {
            for i in 0..<(1 << 20) { order[i] = UInt64(i % flows) * 2654435761 & 0xffffffff }
            if flows > 1 { for i in 0..<(1 << 20) { order.advanced(by: i).pointee = order[i]; let j = Int.random(in: i..<(1 << 20), using: &random); let t = order[i]; order[i] = order[j]; order[j] = t } }
            for round in 0..<3 {
                let n = 1 << 20
                let noop = try testRun(program: object.programDescriptor("bench_noop"), frame: frame, times: n)
                let nilo = try testRun(program: object.programDescriptor("bench_nilo"), frame: frame, times: n)
                let reference = try testRun(program: object.programDescriptor("bench_reference"), frame: frame, times: n)
                let clock = ContinuousClock()
                var pass = SlotReader.Pass()
                let t = try clock.measure { pass = try reader.collect(into: &table, tick: 1) { _ in } }
                let t2 = clock.measure { _ = reader.changedSets() }
                print(flows, round, "noop", noop, "nilo", nilo - noop, "reference", reference - noop, pass, t, "idle scan", t2, "table", table.count)
            }
        }
    }
}
