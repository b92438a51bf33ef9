import CNDPI
import Glibc

/// nDPI's detection module: its tables, some megabytes, and the caches by which it correlates flows. For one thread at a time.
final class DetectionModule {
    typealias Flow = UnsafeMutablePointer<ndpi_flow_struct>

    private let module: OpaquePointer
    /// Names by number: the library's own strings.
    private var names: [UInt16: String] = [:]

    init() throws(ApplicationsError) {
        guard ndpi_layout_matches() != 0 else { throw .otherLibrary(version: String(cString: ndpi_revision())) }
        guard let module = ndpi_init_detection_module(ndpi_init_prefs(ndpi_no_prefs.rawValue)) else { throw .noLibrary }
        self.module = module
        ndpi_detect_all(module)
        ndpi_finalize_initialization(module)
    }

    deinit { ndpi_exit_detection_module(module) }

    /// nil: out of memory.
    func makeFlow() -> Flow? { ndpi_new_flow() }
    func free(_ flow: Flow) { ndpi_free_flow(flow) }

    /// - Parameter packet: from the IP header on, aligned to four bytes, and as long as the header says.
    func process(_ flow: Flow, _ packet: UnsafeRawBufferPointer, time: UInt64) -> ndpi_protocol {
        ndpi_detection_process_packet(
            module, flow, packet.baseAddress!.assumingMemoryBound(to: UInt8.self), UInt16(packet.count), time / 1_000_000)
    }

    /// More packets could tell more about what is already known (certificates, names).
    func wantsMore(_ flow: Flow) -> Bool { ndpi_extra_dissection_possible(module, flow) != 0 }

    /// What is left to say when no more packets come: also guesses, by port and address, of which `confidence` tells.
    func giveUp(_ flow: Flow) -> ndpi_protocol {
        var wasGuessed: UInt8 = 0
        return ndpi_detection_giveup(module, flow, 1, &wasGuessed)
    }

    /// nil for the unknown protocol.
    func name(_ number: UInt16) -> String? {
        if number == 0 { return nil }
        if let known = names[number] { return known }
        let name = ndpi_get_proto_name(module, number).map { String(cString: $0) } ?? "\(number)"
        names[number] = name
        return name
    }

    func category(_ flow: Flow) -> String? {
        let number = ndpi_category(flow)
        guard number != 0, let name = ndpi_category_get_name(module, ndpi_protocol_category_t(rawValue: number)) else { return nil }
        return String(cString: name)
    }

    /// Whether the protocol hides what it carries.
    func isEncrypted(_ number: UInt16) -> Bool {
        var proto = ndpi_protocol()
        proto.app_protocol = number
        return ndpi_is_encrypted_proto(module, proto) != 0
    }

    /// The application that has this host name, on top of the carrying protocol; 0 when none is known.
    func application(of host: String, on master: UInt16, _ flow: Flow) -> UInt16 {
        var text = Array(host.utf8CString)
        var result = ndpi_protocol_match_result()
        let count = UInt32(text.count - 1)
        return text.withUnsafeMutableBufferPointer {
            ndpi_match_host_subprotocol(module, flow, $0.baseAddress, count, &result, master)
        }
    }

    /// What the flow's packets named: a server, a question.
    func hostName(_ flow: Flow) -> ArraySlice<UInt8> {
        let text = UnsafeRawBufferPointer(start: ndpi_host_name(flow), count: Int(ndpi_host_name_room()))
        return ArraySlice(text.prefix { $0 != 0 })
    }
}
