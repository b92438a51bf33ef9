import CNetlink
import Glibc

/// Requests that are sent together: one sendmsg(2) for many, and one acknowledgement for all that went well.
struct NetlinkBatch {
    /// As many as the answers of fit into a socket's receive buffer, should every one of them fail.
    static let most = 128

    fileprivate(set) var bytes: [UInt8] = []
    fileprivate(set) var sequences: [UInt32] = []
    private var lastStart = 0

    /// - Parameter body: appends the attributes.
    mutating func append<Header: BitwiseCopyable>(
        _ type: Int, flags: Int32, _ header: Header, sequence: UInt32, body: (inout NetlinkBatch) -> Void
    ) {
        lastStart = bytes.count
        put(nlmsghdr(nlmsg_len: 0, nlmsg_type: UInt16(type), nlmsg_flags: UInt16(NLM_F_REQUEST | flags), nlmsg_seq: sequence, nlmsg_pid: 0))
        put(header)
        pad()
        body(&self)
        set(UInt32(bytes.count - lastStart), at: lastStart)
        sequences.append(sequence)
    }

    /// The last request asks for an answer in any case: when it comes, all others have had theirs.
    fileprivate mutating func close() {
        let offset = lastStart + MemoryLayout<nlmsghdr>.offset(of: \.nlmsg_flags)!
        let flags = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt16.self) }
        set(flags | UInt16(NLM_F_ACK), at: offset)
    }

    mutating func attribute(_ type: Int, _ value: [UInt8]) {
        put(UInt16(4 + value.count))
        put(UInt16(type))
        bytes += value
        pad()
    }

    mutating func attribute<Value: BitwiseCopyable>(_ type: Int, _ value: Value) {
        attribute(type, withUnsafeBytes(of: value) { Array($0) })
    }

    mutating func nest(_ type: Int, _ body: (inout NetlinkBatch) -> Void) {
        let start = bytes.count
        put(UInt16(0))
        put(UInt16(type))
        body(&self)
        set(UInt16(bytes.count - start), at: start)
    }

    private mutating func put<Value: BitwiseCopyable>(_ value: Value) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
    private mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
    private mutating func set<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: Value.self) }
    }
}

extension NetlinkSocket {
    /// Sends the requests of a batch; the kernel carries out each, whatever became of those before it.
    /// - Returns: nil for each that went well, else the kernel's refusal.
    func run(_ batch: NetlinkBatch, _ operation: (Int) -> String) throws(NetlinkError) -> [NetlinkError?] {
        guard let last = batch.sequences.last else { return [] }
        var batch = batch
        batch.close()
        let sent = batch.bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, 0) }
        guard sent == batch.bytes.count else { throw NetlinkError("send \(batch.sequences.count) requests", code: errno) }
        var outcomes = [NetlinkError?](repeating: nil, count: batch.sequences.count)
        let first = batch.sequences[0]
        while true {
            var isOver = false
            for message in NetlinkMessage.Datagram(try nextDatagram("answers to \(batch.sequences.count) requests")) {
                let index = Int(message.header.nlmsg_seq &- first)
                guard message.type == Int(NLMSG_ERROR), outcomes.indices.contains(index) else { continue }
                let (code, detail) = message.outcome
                if code != 0 { outcomes[index] = NetlinkError(operation(index), code: code, detail: detail) }
                if message.header.nlmsg_seq == last { isOver = true }
            }
            if isOver { return outcomes }
        }
    }

    /// A number for the next request.
    func nextSequence() -> UInt32 { nl_socket_use_seq(socket) }
}
