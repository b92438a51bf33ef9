import CDatapath
import CLibBPF
import Glibc
import NetworkTypes

/// The agent's memory of what it attached, kept in a pinned map where no crash of the agent can reach it.
final class Registry {
    private let map: Int32

    init(maps: SharedMaps) { map = maps.descriptor("nilo_registry") }

    func store(_ record: nilo_interface, id: InterfaceID) throws(BPFError) {
        var key = id.rawValue
        var record = record
        try check(bpf_map_update_elem(map, &key, &record, 0), "remember interface \(id.rawValue)")
    }

    func remove(_ id: InterfaceID) throws(BPFError) {
        var key = id.rawValue
        let result = bpf_map_delete_elem(map, &key)
        if result != -ENOENT { try check(result, "forget interface \(id.rawValue)") }
    }

    func load() throws(BPFError) -> [InterfaceID: nilo_interface] { try Self.records(in: map) }

    /// Every record of a registry, by its map's descriptor.
    static func records(in map: Int32) throws(BPFError) -> [InterfaceID: nilo_interface] {
        var records: [InterfaceID: nilo_interface] = [:]
        var key: UInt32 = 0
        var next: UInt32 = 0
        var more = bpf_map_get_next_key(map, nil, &next)
        while more == 0 {
            key = next
            var record = nilo_interface()
            try check(bpf_map_lookup_elem(map, &key, &record), "recall interface \(key)")
            records[InterfaceID(rawValue: key)] = record
            more = bpf_map_get_next_key(map, &key, &next)
        }
        return records
    }
}

extension nilo_interface {
    var deviceName: String {
        get { withUnsafeBytes(of: name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
        set {
            withUnsafeMutableBytes(of: &name) { field in
                field.initializeMemory(as: UInt8.self, repeating: 0)
                for (i, byte) in newValue.utf8.prefix(field.count - 1).enumerated() { field[i] = byte }
            }
        }
    }
    var isAlive: Bool { closed_unix_ns == 0 }
}
