import Glibc

/// A capture file operation that failed.
public struct CaptureError: Error, CustomStringConvertible, Sendable {
    public var operation: String
    /// errno.
    public var code: Int32
    public var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// A capture on disk or in a pipe. On disk it is the files `PATH.0`, `PATH.1`, …, each complete in itself and of bounded size; the oldest goes
/// when there is one too many.
///
/// What is written is kept back until ``flush()`` or until 64 KiB are there, and is whole blocks: a reader never sees half of one.
public final class CaptureWriter {
    public enum Destination: Sendable {
        /// A pipe or terminal, for `wireshark -k -i -` and `tcpdump -r -`. Not closed by this.
        case descriptor(Int32)
        case files(path: String, size: UInt64, count: Int)
    }

    private let destination: Destination
    private var encoder = PCAPNGEncoder()
    private var file: Int32 = -1
    private var number = 0
    private var written: UInt64 = 0
    private var interfaces: [(name: String, linkType: PCAPNGEncoder.LinkType, received: UInt64, dropped: UInt64, time: UInt64)] = []
    /// Packets that are kept back, and those that were handed over.
    private var waiting: UInt64 = 0
    public private(set) var packetsWritten: UInt64 = 0
    /// Files that were begun, with those that were there before.
    public var filesBegun: Int { number + (file >= 0 ? 1 : 0) }
    private static let application = "nilo"

    /// Files are readable by their owner alone: a payload is sensitive. Those of an earlier capture count among the `count`; the new ones
    /// follow the last of them.
    public init(_ destination: Destination) throws(CaptureError) {
        self.destination = destination
        if case .files(_, let size, let count) = destination { precondition(size >= 4096 && count >= 1) }
        try begin()
    }

    deinit { if case .files = destination, file >= 0 { close(file) } }

    /// Describes an interface, now and in every file to come. Returns its number.
    public func addInterface(name: String, linkType: PCAPNGEncoder.LinkType = .ethernet) -> UInt32 {
        interfaces.append((name, linkType, 0, 0, 0))
        // A file that is still to be begun gets all of them.
        if file >= 0 { encoder.addInterface(name: name, linkType: linkType) }
        return UInt32(interfaces.count - 1)
    }

    /// - Parameters: as of `PCAPNGEncoder.addPacket`.
    public func addPacket(
        interface: UInt32, time: UInt64, data: UnsafeRawBufferPointer, inserting tag: (at: Int, bytes: UInt32)? = nil, wireLength: UInt32,
        direction: PCAPNGEncoder.Direction, drops: UInt64 = 0, comment: String? = nil
    ) throws(CaptureError) {
        if file < 0 { try begin() }
        // What a packet takes at most beside its bytes and the comment.
        let room = UInt64(data.count + (comment?.utf8.count ?? 0) + 96 + interfaces.count * 64)
        if case .files(_, let size, _) = destination, written + UInt64(encoder.bytes.count) + room > size { try rotate() }
        interfaces[Int(interface)].received += 1 + drops
        interfaces[Int(interface)].dropped += drops
        interfaces[Int(interface)].time = time
        encoder.addPacket(
            interface: interface, time: time, data: data, inserting: tag, wireLength: wireLength, direction: direction, drops: drops,
            comment: comment)
        waiting += 1
        if encoder.bytes.count >= 1 << 16 { try flush() }
    }

    /// Hands over everything that is kept back.
    public func flush() throws(CaptureError) {
        guard file >= 0 else { return }
        var done = 0
        let bytes = encoder.bytes
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + done, bytes.count - done) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { throw CaptureError(operation: "write \(name)", code: errno) }
            done += count
        }
        written += UInt64(bytes.count)
        encoder.removeAll()
        packetsWritten += waiting
        waiting = 0
    }

    /// After a failure: what was kept back is lost, the file ends with its last whole block, and the next packet begins another file.
    public func abandon() {
        encoder.removeAll()
        waiting = 0
        guard case .files = destination, file >= 0 else { return }
        if written == 0 || ftruncate(file, Int(written)) != 0 {
            unlink(name)
        } else {
            number += 1
        }
        close(file)
        file = -1
    }

    /// Writes the interfaces' counts and ends the file.
    public func finish() throws(CaptureError) {
        guard file >= 0 else { return }
        for (index, interface) in interfaces.enumerated() {
            encoder.addStatistics(
                interface: UInt32(index), time: interface.time, received: interface.received, dropped: interface.dropped)
        }
        try flush()
        if case .files = destination {
            close(file)
            file = -1
            number += 1
        }
    }

    private var name: String {
        switch destination {
        case .descriptor(let descriptor): "descriptor \(descriptor)"
        case .files(let path, _, _): "\(path).\(number)"
        }
    }

    private func rotate() throws(CaptureError) {
        try finish()
        try begin()
    }

    private func begin() throws(CaptureError) {
        written = 0
        switch destination {
        case .descriptor(let descriptor): file = descriptor
        case .files(let path, _, let count):
            let folder = CaptureFolder(path)
            number = max(number, (folder.numbers.max() ?? -1) + 1)
            try folder.remove(upTo: number - count)
            // O_NOFOLLOW and O_EXCL: nobody's link leads us to another file.
            file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            if file < 0 { throw CaptureError(operation: "create \(name)", code: errno) }
        }
        encoder.addSection(hardware: "", system: "Linux", application: Self.application)
        for interface in interfaces { encoder.addInterface(name: interface.name, linkType: interface.linkType) }
    }
}
