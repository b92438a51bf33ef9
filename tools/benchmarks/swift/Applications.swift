import Applications
import CDatapath
import CLibBPF
import Datapath
import Dissection
import Flows
import Glibc
import NetworkTypes

/// How well the first packets of a conversation, cut off, tell its application: beside all packets in full and what is expected of each capture.
func measureApplications(_ plan: Plan, _ results: Results) throws {
    guard let folder = plan.captures else { throw BenchError("which captures? --captures DIR, with *.pcap and *.pcapng in it") }
    try measureStart(results)
    let sampler = geteuid() == 0 ? try FirstPackets() : nil
    if sampler == nil { results.remark("Not root: the captures are not run through the datapath.") }
    var tallies: [String: AgreementTally] = [:]
    var disagreements = Disagreements()
    let captures = try captureFiles(in: folder)
    guard !captures.isEmpty else { throw BenchError("no captures in \(folder)") }
    var expectations = AgreementTally()
    for path in captures {
        let packets = try CaptureReader.packets(of: path)
        let full = try classified(packets, ClassificationWay.full)
        let file = path.split(separator: "/").last.map(String.init) ?? path
        if let expected = try? ExpectedApplications(path + ".out") {
            for (flow, stack) in expected.stacks {
                let found = full.verdicts[flow]?.stack
                expectations.add(found == stack)
                if found != stack { disagreements.add("full: \(found ?? "no flow"), expected \(stack)", "\(file) \(flow.text)") }
            }
        }
        for way in ClassificationWay.capped + (sampler == nil ? [] : [.throughDatapath]) {
            let capped = try way.name == ClassificationWay.throughDatapath.name ? sampler!.classified(packets) : classified(packets, way)
            var tally = tallies[way.name] ?? AgreementTally()
            for (flow, verdict) in full.verdicts where verdict.application != nil {
                let found = capped.verdicts[flow]
                tally.add(found?.stack == verdict.stack)
                if found?.stack != verdict.stack {
                    disagreements.add("\(way.name): \(found?.stack ?? "no flow"), full: \(verdict.stack)", "\(file) \(flow.text)")
                }
                if let name = verdict.name { tally.names.add(found?.name == name) }
            }
            tallies[way.name] = tally
        }
    }
    if expectations.flows > 0 { results.add("full, as expected beside the captures, percent", expectations.percent) }
    for way in ClassificationWay.capped + [.throughDatapath] {
        guard let tally = tallies[way.name] else { continue }
        results.add("\(way.name): same as full, percent", tally.percent, way.hasTarget ? .atLeast(98) : nil)
        results.add("\(way.name): same name, percent", tally.names.percent)
    }
    try measureCost(captures, plan, results)
    for line in disagreements.lines(most: 60) { results.remark(line) }
}

/// What was told differently, by kind.
private struct Disagreements {
    private var kinds: [String: (count: Int, example: String)] = [:]

    mutating func add(_ kind: String, _ example: String) { kinds[kind, default: (0, example)].count += 1 }

    func lines(most: Int) -> [String] {
        kinds.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(most)
            .map { "\($0.value.count) x \($0.key) (\($0.value.example))" }
    }
}

/// What is fed of each conversation.
private struct ClassificationWay {
    var name: String
    var packets: UInt8
    /// Bytes of a frame.
    var snap: Int
    var filledUpTo: Int?
    var hasTarget = false

    static let full = ClassificationWay(name: "full", packets: 80, snap: 65535, filledUpTo: 2048)
    static let capped = [
        ClassificationWay(name: "8 x 256", packets: 8, snap: 256, filledUpTo: 2048, hasTarget: true),
        ClassificationWay(name: "8 x 256 as shorter ones", packets: 8, snap: 256, filledUpTo: nil),
        ClassificationWay(name: "16 x 256", packets: 16, snap: 256, filledUpTo: 2048),
        ClassificationWay(name: "8 x 512", packets: 8, snap: 512, filledUpTo: 2048),
        wholePackets,
    ]
    /// As the agent has it.
    static let throughDatapath = ClassificationWay(
        name: "sampled by the datapath", packets: 16, snap: 2048, filledUpTo: 2048, hasTarget: true)
    static let wholePackets = ClassificationWay(name: "8 x 2048", packets: 8, snap: 2048, filledUpTo: 2048, hasTarget: true)

    var limits: ClassifierLimits {
        var limits = ClassifierLimits()
        limits.packets = packets
        limits.filledUpTo = filledUpTo
        limits.idle = .max / 2
        limits.forget = .max / 2
        limits.pending = 65536
        return limits
    }
}

/// Flows, of which so many were told the same.
private struct AgreementTally {
    struct Names {
        var flows = 0
        var same = 0
        mutating func add(_ isSame: Bool) {
            flows += 1
            same += isSame ? 1 : 0
        }
        var percent: Double { flows == 0 ? 100 : 100 * Double(same) / Double(flows) }
    }
    private var stacks = Names()
    var names = Names()
    mutating func add(_ isSame: Bool) { stacks.add(isSame) }
    var flows: Int { stacks.flows }
    var percent: Double { stacks.percent }
}

private struct Classified {
    var verdicts: [Conversation: ApplicationVerdict] = [:]
}

private func classified(_ packets: [CaptureReader.Packet], _ way: ClassificationWay) throws -> Classified {
    let classifier = try Classifier(way.limits)
    for packet in packets { classifier.feed(packet.bytes.prefix(way.snap), packet.note) }
    classifier.finishAll()
    var result = Classified()
    for case .application(let verdict) in classifier.takeFindings() where verdict.isFinal {
        result.verdicts[verdict.conversation] = verdict
    }
    return result
}

/// The flow program with the agent's own sampler in force. Frames come by BPF_PROG_TEST_RUN, so they are at most a page.
private struct FirstPackets {
    private let maps: SharedMaps
    private let program: FlowProgram
    private let tables: SamplerTables
    private let ring: SampleRing
    private static let longestFrame = 3400

    init() throws {
        maps = try SharedMaps(geometry: TableGeometry(sampleBytes: 64 << 20), seed: 1)
        program = try FlowProgram(maps: maps)
        tables = try SamplerTables(maps: maps)
        ring = try SampleRing(maps: maps)
        tables.installFirst(packets: 8, snapLength: 2048, perSecond: 10_000_000)
    }

    /// Each capture has an interface of its own, so that its flows are new.
    func classified(_ packets: [CaptureReader.Packet]) throws -> Classified {
        let classifier = try Classifier(ClassificationWay.throughDatapath.limits)
        let interface = UInt32.random(in: 1...UInt32.max)
        try program.setPort(nilo_port(ifindex: 1, if_id: interface, ledger: 0, flags: NILO_PORT_FIRST.rawValue))
        for packet in packets where packet.linkType == 1 && packet.bytes.count <= Self.longestFrame {
            try run(packet.bytes)
            ring.drain { sample in
                let note = PacketNote(time: packet.time, originalLength: packet.originalLength)
                if sample.rule == SamplerTables.first { classifier.feed(Array(sample.header)[...], note) }
            }
        }
        classifier.finishAll()
        var result = Classified()
        for case .application(let verdict) in classifier.takeFindings() where verdict.isFinal {
            result.verdicts[verdict.conversation] = verdict
        }
        return result
    }

    private func run(_ bytes: ArraySlice<UInt8>) throws {
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        options.repeat = 1
        let result = bytes.withUnsafeBytes { frame in
            options.data_in = frame.baseAddress
            options.data_size_in = UInt32(frame.count)
            return bpf_prog_test_run_opts(program.ingress, &options)
        }
        try checked(result, "run the flow program")
    }
}

/// What a classifier takes before the first packet.
private func measureStart(_ results: Results) throws {
    let memory = residentBytes()
    let start = cpuSeconds()
    let classifier = try Classifier()
    results.add("CPU to start, ms", (cpuSeconds() - start) * 1e3)
    results.add("resident memory of a classifier, MB", Double(residentBytes() - memory) / 1e6)
    withExtendedLifetime(classifier) {}
}

/// CPU time of the first packets, as a sampler that takes the first eight of each direction would give them.
private func measureCost(_ captures: [String], _ plan: Plan, _ results: Results) throws {
    var frames: [CaptureReader.Packet] = []
    for capture in captures { frames += try firstPackets(try CaptureReader.packets(of: capture), 8) }
    for way in [ClassificationWay.capped[0], ClassificationWay.wholePackets] {
        var (packets, conversations): ([Double], [Double]) = ([], [])
        for _ in 0..<plan.rounds {
            let classifier = try Classifier(way.limits)
            let start = cpuSeconds()
            for frame in frames { classifier.feed(frame.bytes.prefix(way.snap), frame.note) }
            classifier.finishAll()
            let microseconds = (cpuSeconds() - start) * 1e6
            packets.append(microseconds / Double(frames.count))
            conversations.append(microseconds / Double(max(1, classifier.counters.conversations)))
        }
        results.add("\(way.name): CPU of a sampled packet, us", packets)
        results.add("\(way.name): CPU of a conversation, us", conversations)
    }
}

/// Of each direction of each conversation.
private func firstPackets(_ packets: [CaptureReader.Packet], _ most: Int) throws -> [CaptureReader.Packet] {
    var seen: [FlowTuple: Int] = [:]
    return packets.filter { packet in
        guard let tuple = FrameHeaders(packet.bytes, layer: packet.note.layer)?.tuple else { return true }
        seen[tuple, default: 0] += 1
        return seen[tuple, default: 0] <= most
    }
}

private func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

private func residentBytes() -> Int {
    guard let bytes = try? CaptureReader.contents(of: "/proc/self/statm") else { return 0 }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}

private func captureFiles(in folder: String) throws(BenchError) -> [String] {
    guard let directory = opendir(folder) else { throw BenchError("list \(folder)", errno: errno) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(".pcap") || name.hasSuffix(".pcapng") || name.hasSuffix(".cap") { names.append("\(folder)/\(name)") }
    }
    return names.sorted()
}

extension CaptureReader.Packet {
    fileprivate var note: PacketNote { PacketNote(time: time, originalLength: originalLength, layer: linkType == 1 ? .ethernet : .network) }
}

extension Conversation {
    fileprivate var text: String {
        func end(_ address: IPAddress?, _ port: UInt16) -> String { "\(address.map { "\($0)" } ?? "?"):\(port)" }
        return "\(tuple.protocol.rawValue) \(end(tuple.source, tuple.sourcePort)) \(end(tuple.destination, tuple.destinationPort))"
    }
}
