import CDatapath
import Flows
import TestSupport

@testable import Datapath

/// What a sample said, copied out of the ring.
struct TakenSample: Hashable, Sendable {
    var rule: Int
    var epoch: UInt32
    var reasons: SampleReasons
    var hits: UInt32
    var oneIn: UInt32
    var wirePackets: UInt32
    var wireBytes: UInt32
    var packetBytes: UInt32
    var ifindex: UInt32
    var ingressIfindex: UInt32
    var nanoseconds: UInt64
    var packetsSoFar: UInt64
    var lostSoFar: UInt32
    var isTagApart: Bool
    var key: FlowKey
    var header: [UInt8]

    init(_ sample: PacketSample) {
        rule = sample.rule
        epoch = sample.epoch
        reasons = sample.reasons
        hits = sample.hits
        oneIn = sample.oneIn
        wirePackets = sample.wirePackets
        wireBytes = sample.wireBytes
        packetBytes = sample.packetBytes
        ifindex = sample.ifindex
        ingressIfindex = sample.ingressIfindex
        nanoseconds = sample.monotonicNanoseconds
        packetsSoFar = sample.packetsSoFar
        lostSoFar = sample.lostSoFar.ringFull
        isTagApart = sample.isTagApart
        key = sample.key
        header = Array(sample.header)
    }
}

/// The sampling side of a datapath, with a filter program that samples everything by rule 1.
struct SamplesUnderTest {
    let tables: SamplerTables
    let ring: SampleRing
    private let before: SamplerCounters

    init(_ maps: SharedMaps, _ sampler: SamplerTables.Sampler?) throws {
        var all = nilo_instruction()
        all.operation = UInt8(NILO_OP_SAMPLE.rawValue)
        all.low = 1
        (all.on_true, all.on_false) = (1, 1)
        tables = try SamplerTables(maps: maps)
        ring = try SampleRing(maps: maps)
        before = tables.counters(of: 1)
        if let sampler { tables.install(sampler, as: 1) }
        try PolicyTables(maps: maps).replace([all, nilo_instruction()])
    }

    func take() -> [TakenSample] {
        var taken: [TakenSample] = []
        ring.drain { taken.append(TakenSample($0)) }
        return taken
    }

    var counters: SamplerCounters { tables.counters(of: 1) - before }
}
