import CDatapath
import CLibBPF
import Glibc

/// The compiled flow programs as libbpf opens them: first sized and configured, then loaded.
///
/// Not Sendable: owned by the thread that attaches.
package final class FlowObject {
    private let object: OpaquePointer
    private let log: UnsafeMutableBufferPointer<CChar>

    /// Where the verifier's words go. One megabyte holds the end of any rejection.
    private static let logBytes = 1 << 20

    /// A compiled BPF object in memory.
    package struct Image {
        var bytes: UnsafeRawPointer
        var size: Int
        package init(bytes: UnsafeRawPointer, size: Int) {
            self.bytes = bytes
            self.size = size
        }
        package static var flow: Image { Image(bytes: nilo_flow_object(), size: nilo_flow_object_size()) }
    }

    /// - Parameter image: the flow programs, or programs built around the same pipeline (the benchmark's).
    package init(config: nilo_config, image: Image = .flow) throws(BPFError) {
        log = .allocate(capacity: Self.logBytes)
        log.initialize(repeating: 0)
        var options = bpf_object_open_opts()  // LIBBPF_OPTS(): zeroed, then .sz
        // Up to the last field known here: libbpf wants zeros in all that is said to be there, padding too.
        options.sz = MemoryLayout<bpf_object_open_opts>.offset(of: \.kernel_log_level)! + MemoryLayout<UInt32>.size
        options.kernel_log_buf = log.baseAddress
        options.kernel_log_size = Self.logBytes
        let opened = "nilo_flow".withCString { name in
            options.object_name = name
            return bpf_object__open_mem(image.bytes, image.size, &options)
        }
        guard let opened else {
            let code = errno
            log.deallocate()
            throw BPFError("open the flow programs", code: code)
        }
        object = opened
        var config = config
        let rodata = try dataMap(".rodata")
        try check(bpf_map__set_initial_value(rodata, &config, MemoryLayout<nilo_config>.size), "configure the flow programs")
        for entry in config.entries {
            try check(bpf_map__set_max_entries(map(entry.map), UInt32(entry.count)), "size map \(entry.map)")
        }
        try check(bpf_map__set_value_size(map("nilo_samples"), UInt32(config.sampleRingBytes)), "size map nilo_samples")
    }

    deinit {
        bpf_object__close(object)
        log.deallocate()
    }

    /// libbpf names data maps after the object: look for the section's name at the end.
    private func dataMap(_ section: String) throws(BPFError) -> OpaquePointer {
        var next = bpf_object__next_map(object, nil)
        while let map = next {
            if String(cString: bpf_map__name(map)).hasSuffix(section) { return map }
            next = bpf_object__next_map(object, map)
        }
        throw BPFError("find \(section) in the flow programs", code: ENOENT)
    }

    package func map(_ name: String) -> OpaquePointer {
        guard let map = bpf_object__find_map_by_name(object, name) else { preconditionFailure("no map \(name) in the flow programs") }
        return map
    }

    package func mapDescriptor(_ name: String) -> Int32 { bpf_map__fd(map(name)) }

    package func programDescriptor(_ name: String) -> Int32 {
        guard let program = bpf_object__find_program_by_name(object, name) else {
            preconditionFailure("no program \(name) in the flow programs")
        }
        return bpf_program__fd(program)
    }

    /// Uses maps that exist already instead of making new ones.
    package func reuse(_ maps: SharedMaps) throws(BPFError) {
        for name in SharedMaps.names { try check(bpf_map__reuse_fd(map(name), maps.descriptor(name)), "reuse map \(name)") }
    }

    /// Leaves the programs out, and all maps but these: loading then makes the latter alone.
    func skipPrograms(andMapsBut names: [String]) throws(BPFError) {
        var next = bpf_object__next_program(object, nil)
        while let program = next {
            bpf_program__set_autoload(program, false)
            next = bpf_object__next_program(object, program)
        }
        var nextMap = bpf_object__next_map(object, nil)
        while let map = nextMap {
            let isWanted = names.contains(String(cString: bpf_map__name(map)))
            try check(bpf_map__set_autocreate(map, isWanted), "leave maps out")
            nextMap = bpf_object__next_map(object, map)
        }
    }

    package func load(_ what: String) throws(BPFError) {
        let result = bpf_object__load(object)
        if result < 0 { throw BPFError("load \(what)", code: -result, detail: verifierWords) }
    }

    /// The last lines of what the verifier said.
    private var verifierWords: String {
        guard let start = log.baseAddress, start.pointee != 0 else { return "" }
        return String(cString: start).split(separator: "\n").suffix(8).joined(separator: "\n")
    }
}
