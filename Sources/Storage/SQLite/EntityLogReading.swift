import NetworkTypes

/// Reads the log of an SQLite file: what changed, step by step, with the states before and after.
///
/// Changes tell only what came, so they are replayed from a moment whose live set is known. The newest entries are mostly asked for, so that
/// moment is the newest checkpoint at first, and further back, in growing steps, until there are enough.
struct EntityLogReading {
    let entities: EntityReading

    /// A change by numbers; 0 where the entity was absent.
    private struct Step {
        var entity: UInt32
        var before: UInt32
        var after: UInt32
    }

    private typealias Moment = (time: Int64, steps: [Step])

    /// - Parameters: as of `HistoryReading.log`, in nanoseconds.
    func log(from start: Int64, to end: Int64, limit: Int) throws(StorageError) -> [EntityLogEntry] {
        let begin = max(start, try entities.connection.integer("SELECT kept_from FROM progress") ?? .min)
        guard limit > 0, begin < end else { return [] }
        let bases = try checkpoints(from: begin, to: end) + [begin]
        var index = 0
        while true {
            let moments = try moments(from: bases[index], to: end, limit: limit)
            if index == bases.count - 1 || moments.reduce(0, { $0 + $1.steps.count }) >= limit {
                return try entries(moments, limit: limit)
            }
            index = min(index * 2 + 1, bases.count - 1)
        }
    }

    /// Times of the checkpoints between two times, newest first.
    private func checkpoints(from start: Int64, to end: Int64) throws(StorageError) -> [Int64] {
        let rows = try entities.connection.statement("SELECT DISTINCT time FROM checkpoint WHERE time > ? AND time < ? ORDER BY time DESC")
        defer { rows.reset() }
        rows.bind(1, start)
        rows.bind(2, end)
        var times: [Int64] = []
        while try rows.step() { times.append(rows.integer(0)) }
        return times
    }

    /// The last moments after `start` until `end` that have `limit` steps together, the oldest of them whole.
    private func moments(from start: Int64, to end: Int64, limit: Int) throws(StorageError) -> [Moment] {
        var (live, epoch) = try entities.liveSetAndEpoch(at: start)
        var gathered = GatheredMoments(limit: limit)
        var changes: [ChangeRecord] = []
        // What the entities of the current moment were before it.
        var before: [UInt32: UInt32] = [:]
        var (time, sections) = (start, 0)
        func finish() throws(StorageError) {
            var steps = before.map { Step(entity: $0.key, before: $0.value, after: live.states[$0.key] ?? 0) }
            steps.removeAll { $0.before == $0.after }
            // Several epochs at one time: back to a state that meanwhile got another number is no change.
            if sections > 1 { steps = try withoutEqualStates(steps) }
            gathered.append((time, steps))
            before.removeAll(keepingCapacity: true)
            sections = 0
        }
        try entities.forEachSection(after: epoch) { (_, when, payload) throws(StorageError) in
            guard when <= end else { return false }
            if when != time { try finish() }
            time = when
            sections += 1
            guard ChangeBlockReader.decode(payload, into: &changes) else { throw entities.connection.corrupt("a block of changes") }
            for change in changes where before[change.entity] == nil { before[change.entity] = live.states[change.entity] ?? 0 }
            live.apply(changes)
            return true
        }
        try finish()
        return gathered.moments
    }

    private func withoutEqualStates(_ steps: [Step]) throws(StorageError) -> [Step] {
        let states = try states(of: steps)
        return steps.filter { states[$0.before] != states[$0.after] }
    }

    private func states(of steps: [Step]) throws(StorageError) -> [UInt32: [UInt8]] {
        let numbers = Set(steps.flatMap { [$0.before, $0.after] }).subtracting([0]).sorted()
        return Dictionary(uniqueKeysWithValues: zip(numbers, try entities.states(numbers)))
    }

    /// The newest of them in order. States are looked up only for those.
    private func entries(_ moments: [Moment], limit: Int) throws(StorageError) -> [EntityLogEntry] {
        let named = Set(moments.flatMap { $0.steps.map(\.entity) }).sorted()
        let keys = Dictionary(uniqueKeysWithValues: zip(named, try entities.keys(named)))
        let ordered = moments.flatMap { moment in
            moment.steps.map { (time: moment.time, key: keys[$0.entity] ?? "", step: $0) }
                .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        }
        let newest = ordered.suffix(limit)
        let states = try states(of: newest.map(\.step))
        return newest.map {
            EntityLogEntry(
                time: Timestamp(nanoseconds: $0.time), key: $0.key, before: states[$0.step.before], after: states[$0.step.after])
        }
    }

    /// Moments in the order of time, of which the oldest are dropped when those after them are enough.
    private struct GatheredMoments {
        let limit: Int
        private var all: [Moment] = []
        private var first = 0
        private var count = 0

        init(limit: Int) { self.limit = limit }

        mutating func append(_ moment: Moment) {
            guard !moment.steps.isEmpty else { return }
            all.append(moment)
            count += moment.steps.count
            while count - all[first].steps.count >= limit {
                count -= all[first].steps.count
                all[first].steps = []
                first += 1
            }
        }

        var moments: [Moment] { Array(all[first...]) }
    }
}
