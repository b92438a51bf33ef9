// Writes history in a process of its own, which StorageTests kills, or lets run into a full disk.
import Glibc
import NetworkTypes
import Storage
import Topology

@main struct StorageProbe {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { end("usage: storage-probe append|fill PATH", 2) }
        do throws(StorageError) {
            switch arguments[1] {
            case "append": try append(arguments[2])
            case "fill": try fill(arguments[2])
            default: end("storage-probe: no mode \(arguments[1])", 2)
            }
        } catch {
            end("storage-probe: \(error) (\(error.reason))", 1)
        }
    }

    /// Appends one epoch after the other without end, and tells the number of each that is kept.
    private static func append(_ path: String) throws(StorageError) {
        // What was told has to be there in the end, however many epochs that machine manages.
        let store = try SQLiteStore(path: path, limits: StorageLimits(ages: [.second: .seconds(400 * 86_400)]))
        var number = try store.lastEpoch()?.number ?? 0
        while true {
            number += 1
            try store.append(epoch(number))
            let line = Array("\(number)\n".utf8)
            _ = write(1, line, line.count)
        }
    }

    /// Every entity's state and every series' value tell the epoch's number, so that half an epoch shows.
    private static func epoch(_ number: UInt64) -> StoredEpoch {
        let state = Array("\(number)".utf8)
        return StoredEpoch(
            number: number, time: Timestamp(nanoseconds: Int64(number) * 1_000_000_000),
            changes: (0..<20).map { EntityChange(key: "entity/\($0)", state: state) },
            samples: (0..<300).map { SeriesSample(key: "series/\($0)", value: .counter(number)) })
    }

    /// Fills the folder's small file system, makes room, and goes on.
    private static func fill(_ folder: String) throws(StorageError) {
        let filler = "\(folder)/filler"
        reserve(filler, bytes: 1 << 20)
        let store = try SQLiteStore(path: "\(folder)/history.db")
        var number: UInt64 = 0
        var refusal: StorageError?
        while refusal == nil {
            number += 1
            do throws(StorageError) { try store.append(heavy(number)) } catch { refusal = error }
        }
        print("refused \(number): \(refusal!.reason), may pass \(refusal!.mayPass)")
        // Still full; and what was kept can be asked for meanwhile.
        do throws(StorageError) { try store.append(heavy(number + 1)) } catch { print("again: \(error.reason)") }
        let last = try store.lastEpoch()?.number ?? 0
        print("kept \(last == number - 1), readable \(try store.entities(at: Timestamp(nanoseconds: .max)).count == 50)")
        unlink(filler)
        var next = heavy(number + 2)
        next.resumes = true
        try store.append(next)
        let gaps = try store.gaps(from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: .max))
        let versions = try store.history(of: "entity/0").count
        print("resumed \(try store.lastEpoch()?.number == number + 2), gaps \(gaps.count), versions \(UInt64(versions) == last + 1)")
    }

    /// An epoch that does not compress.
    private static func heavy(_ number: UInt64) -> StoredEpoch {
        var mixed = number &* 0x9e37_79b9_7f4a_7c15
        let changes = (0..<50).map { index -> EntityChange in
            var state: [UInt8] = []
            for _ in 0..<64 {
                mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9 &+ number
                withUnsafeBytes(of: mixed) { state.append(contentsOf: $0) }
            }
            return EntityChange(key: "entity/\(index)", state: state)
        }
        return StoredEpoch(number: number, time: Timestamp(nanoseconds: Int64(number) * 1_000_000_000), changes: changes)
    }

    private static func reserve(_ path: String, bytes: Int) {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let zeros = [UInt8](repeating: 0, count: bytes)
        guard file >= 0, write(file, zeros, bytes) == bytes else {
            end("storage-probe: write \(path): \(String(cString: strerror(errno)))", 1)
        }
        close(file)
    }

    private static func end(_ text: String, _ status: Int32) -> Never {
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
        exit(status)
    }
}
