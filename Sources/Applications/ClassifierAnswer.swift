import Dissection

/// What the classifier's process says after each batch: how far it is, and what it found. Nothing in it is believed unread.
///
///     magic 4 · sequence 8 · rest 8 · CPU time 8 · pending 4 · counters 8 each · findings 2, then for each finding: kind 1 · size 2 · body
struct ClassifierAnswer: Equatable {
    static let mostBytes = 60_000
    private static let magic: UInt32 = 0x4E41_4131

    /// Of the last batch that was read.
    var sequence: UInt64 = 0
    /// Nanoseconds of CLOCK_MONOTONIC until which packets would be passed over for want of CPU time; 0: none are.
    var restUntil: UInt64 = 0
    /// Nanoseconds that the process has used.
    var cpuTime: UInt64 = 0
    var pending: UInt32 = 0
    var counters = ClassifierCounters()
    /// Packets that were passed over for want of CPU time.
    var passedOver: UInt64 = 0
    var findings: [Finding] = []

    /// Whole messages: as many as the findings need, at least one.
    func messages() -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var bodies: [UInt8] = []
        var count: UInt16 = 0
        let head = self.head
        for finding in findings {
            let encoded = FindingCoding.encode(finding)
            if head.count + 2 + bodies.count + encoded.count > Self.mostBytes || count == .max {
                messages.append(message(head, count, bodies))
                bodies.removeAll(keepingCapacity: true)
                count = 0
            }
            bodies += encoded
            count += 1
        }
        messages.append(message(head, count, bodies))
        return messages
    }

    private func message(_ head: [UInt8], _ count: UInt16, _ bodies: [UInt8]) -> [UInt8] {
        var bytes = head
        bytes.append(count)
        return bytes + bodies
    }

    private var head: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(Self.magic)
        bytes.append(sequence)
        bytes.append(restUntil)
        bytes.append(cpuTime)
        bytes.append(pending)
        bytes.append(passedOver)
        for path in ClassifierCounters.paths { bytes.append(counters[keyPath: path]) }
        return bytes
    }

    init() {}

    /// nil for what is malformed in any part.
    init?(_ message: ArraySlice<UInt8>) {
        var reader = ByteReader(message)
        guard message.count <= Self.mostBytes, reader.long() == Self.magic, let sequence = reader.number(bytes: 8),
            let restUntil = reader.number(bytes: 8), let cpuTime = reader.number(bytes: 8), let pending = reader.long(),
            let passedOver = reader.number(bytes: 8)
        else { return nil }
        self.sequence = sequence
        self.restUntil = restUntil
        self.cpuTime = cpuTime
        self.pending = pending
        self.passedOver = passedOver
        for path in ClassifierCounters.paths {
            guard let value = reader.number(bytes: 8) else { return nil }
            counters[keyPath: path] = value
        }
        guard let count = reader.short() else { return nil }
        for _ in 0..<count {
            guard let finding = FindingCoding.decode(&reader) else { return nil }
            findings.append(finding)
        }
        guard reader.left == 0 else { return nil }
    }
}
