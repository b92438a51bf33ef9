import CDatapath
import CLibBPF
import Glibc

/// The ring through which the programs say that a spill log is filling: at most one wake-up per ten milliseconds, whatever the load.
public final class WakeupRing {
    private let ring: OpaquePointer

    public init(maps: SharedMaps) throws(BPFError) {
        guard let ring = ring_buffer__new(maps.descriptor("nilo_events"), ignoreEvent, nil, nil) else {
            throw BPFError("open the event ring", code: errno)
        }
        self.ring = ring
    }

    deinit { ring_buffer__free(ring) }

    /// Readable when there is an event: for epoll(7).
    public var descriptor: Int32 { ring_buffer__epoll_fd(ring) }

    /// Empties the ring. What it says is in the wake-up itself.
    public func drain() throws(BPFError) { try check(ring_buffer__consume(ring), "read the event ring") }
}

/// A global function: a closure here would carry an executor check on each call.
private func ignoreEvent(_ context: UnsafeMutableRawPointer?, _ event: UnsafeMutableRawPointer?, _ size: Int) -> Int32 { 0 }
