import Glibc

/// The memory of an mmapable array map. Unmapped when the value goes.
struct MappedArray<Element>: ~Copyable {
    let base: UnsafeMutablePointer<Element>
    let count: Int
    private let bytes: Int

    /// - Parameter writable: only for the words that user space owns (`nilo_seen`, `nilo_log_tails`).
    init(_ maps: SharedMaps, _ name: String, count: Int, writable: Bool = false) throws(BPFError) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        // The kernel's stride is the size rounded up to eight bytes; all shared records are multiples of eight.
        precondition(MemoryLayout<Element>.stride % 8 == 0 && MemoryLayout<Element>.stride == MemoryLayout<Element>.size)
        bytes = (count * MemoryLayout<Element>.stride + page - 1) / page * page
        let address = mmap(nil, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, maps.descriptor(name), 0)
        guard let address, address != MAP_FAILED else { throw BPFError("map \(name) into memory", code: errno) }
        base = address.assumingMemoryBound(to: Element.self)
        self.count = count
    }

    deinit { munmap(base, bytes) }
}
