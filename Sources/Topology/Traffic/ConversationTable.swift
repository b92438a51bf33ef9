/// The conversations that are remembered, in bounded room: beyond it the one that was silent longest of a few goes, one without an answer
/// before one with.
struct ConversationTable {
    /// In chunks, so that growing never copies all of them.
    private(set) var entries = Chunked<Conversation>(shift: 8)
    private var index = HashIndex()
    private var free: [UInt32] = []
    private var hand = 0
    let limit: Int

    init(limit: Int) {
        precondition(limit > 0, "no room for a conversation")
        self.limit = limit
    }

    var count: Int { entries.count - free.count }

    subscript(number: UInt32) -> Conversation {
        _read { yield entries[Int(number)] }
        _modify { yield &entries[Int(number)] }
    }

    func find(_ key: ConversationKey) -> UInt32? {
        index.find(key.mixed) { entries[Int($0)].key == key }
    }

    /// - Precondition: the key is not there, and the table is not full.
    mutating func insert(_ key: ConversationKey, epoch: UInt64) -> UInt32 {
        precondition(count < limit, "\(count) conversations")
        let conversation = Conversation(key: key, started: epoch, seen: epoch)
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            entries[Int(number)] = conversation
        } else {
            number = UInt32(entries.count)
            entries.append(conversation)
        }
        index.insert(key.mixed, number)
        return number
    }

    mutating func remove(_ number: UInt32) {
        entries[Int(number)].isLive = false
        index.remove(entries[Int(number)].key.mixed, number)
        free.append(number)
    }

    /// Whom to let go for another: of the next few those that are not due in this epoch, if there are any.
    mutating func victim() -> UInt32 {
        var best: (UInt64, Int)?
        var examined = 0
        while examined < 16 {
            hand = hand + 1 < entries.count ? hand + 1 : 0
            guard entries[hand].isLive else { continue }
            examined += 1
            let isAnswered: UInt64 = entries[hand].placement.rawValue > 1 ? 1 : 0
            let worth = (entries[hand].seen << 1 | isAnswered) + (entries[hand].isDue ? 1 << 62 : 0)
            if best == nil || worth < best!.0 { best = (worth, hand) }
            if examined >= count { break }
        }
        return UInt32(best!.1)
    }

    /// The numbers to look at in this epoch: a part of the table, in turn.
    mutating func share() -> [UInt32] {
        guard entries.count > 0 else { return [] }
        let size = min(entries.count, max(1024, entries.count / 32))
        return (0..<size).compactMap { _ in
            hand = hand + 1 < entries.count ? hand + 1 : 0
            return entries[hand].isLive ? UInt32(hand) : nil
        }
    }
}
