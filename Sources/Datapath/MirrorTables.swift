import CDatapath
import CLibBPF
import CLinux
import Glibc

/// The mirror sessions in the kernel (`bpf/abi/mirror.h`). One writer.
///
/// A session is installed before the policy in force names it and removed after it does not.
public final class MirrorTables {
    private let maps: SharedMaps
    private let cpus: Int

    public static let sessions = 0..<Int(NILO_MIRRORS)

    public init(maps: SharedMaps) throws(BPFError) {
        self.maps = maps
        cpus = Int(try check(libbpf_num_possible_cpus(), "count CPUs"))
    }

    /// A new session, its counters at zero.
    /// - Precondition: no policy names `index`.
    public func install(_ session: MirrorSession, at index: Int) throws(BPFError) {
        var key = Self.key(index)
        let zeros = [nilo_mirror_counts](repeating: nilo_mirror_counts(), count: cpus)
        try check(bpf_map_update_elem(maps.descriptor("nilo_copies"), &key, zeros, 0), "clear the counters of mirror session \(index)")
        var cap = nilo_mirror_cap()
        try check(bpf_map_update_elem(maps.descriptor("nilo_mirror_cap"), &key, &cap, 0), "clear the cap of mirror session \(index)")
        try write(session.record(generation: try record(index).generation &+ 1), index)
    }

    /// Changes a session in force: another path, MTU, cap or selection. Counters go on. For the microseconds that it takes, copies fail as
    /// stale, so that none meets half of the change.
    public func replace(_ session: MirrorSession, at index: Int) throws(BPFError) {
        var old = try record(index)
        let new = session.record(generation: old.generation &+ 1)
        old.state = 1 + NILO_MIRROR_STALE.rawValue
        try write(old, index)
        wait()
        var halted = new
        halted.state = old.state
        try write(halted, index)
        wait()
        try write(new, index)
    }

    /// Copies are tried no more and counted as failed, or tried again.
    public func set(_ obstacle: MirrorSession.Obstacle?, at index: Int) throws(BPFError) {
        var record = try record(index)
        record.state = MirrorSession.Obstacle.state(obstacle)
        try write(record, index)
    }

    /// - Precondition: no policy names `index`.
    public func remove(_ index: Int) throws(BPFError) {
        var empty = nilo_mirror()
        // What is still on its way through the mirror port must not be taken for the next session's.
        empty.generation = try record(index).generation &+ 1
        try write(empty, index)
    }

    /// Is there a session?
    public func isInstalled(_ index: Int) throws(BPFError) -> Bool {
        try record(index).target != UInt8(NILO_MIRROR_NOWHERE.rawValue)
    }

    /// What captures of the session now in force say as their epoch.
    public func generation(of index: Int) throws(BPFError) -> UInt32 { UInt32(try record(index).generation) }

    /// Is this the session in force?
    /// - Parameter besidesObstacle: whatever keeps copies from being tried.
    public func holds(_ session: MirrorSession, at index: Int, besidesObstacle: Bool = false) throws(BPFError) -> Bool {
        let there = try record(index)
        var wanted = session.record(generation: there.generation)
        if besidesObstacle { wanted.state = there.state }
        return withUnsafeBytes(of: there) { there in withUnsafeBytes(of: wanted) { there.elementsEqual($0) } }
    }

    public func counts(of index: Int) throws(BPFError) -> MirrorCounts {
        var key = Self.key(index)
        var parts = [nilo_mirror_counts](repeating: nilo_mirror_counts(), count: cpus)
        try check(bpf_map_lookup_elem(maps.descriptor("nilo_copies"), &key, &parts), "read the counters of mirror session \(index)")
        var counts = MirrorCounts()
        for part in parts { counts.add(part) }
        return counts
    }

    private func record(_ index: Int) throws(BPFError) -> nilo_mirror {
        var key = Self.key(index)
        var record = nilo_mirror()
        try check(bpf_map_lookup_elem(maps.descriptor("nilo_mirrors"), &key, &record), "read mirror session \(index)")
        return record
    }

    private func write(_ record: nilo_mirror, _ index: Int) throws(BPFError) {
        var key = Self.key(index)
        var record = record
        try check(bpf_map_update_elem(maps.descriptor("nilo_mirrors"), &key, &record, 0), "write mirror session \(index)")
    }

    private func wait() { if lx_wait_for_programs() != 0 { usleep(50_000) } }

    private static func key(_ index: Int) -> UInt32 {
        precondition(sessions.contains(index), "mirror session \(index)")
        return UInt32(index)
    }
}
