import CMicrohttpd

/// An answer that is made while the client takes it, a piece at a time: neither side's speed makes it grow.
///
/// Used on the daemon's thread alone.
final class LargeAnswer {
    let fd: Int32
    let session: Session
    private let next: ControlResponse.Pieces
    /// Made and not wholly taken: the first is being read.
    private var made: [[UInt8]]
    /// Of the first, bytes that have been taken.
    private var taken = 0

    init(_ made: [[UInt8]], then next: @escaping ControlResponse.Pieces, to fd: Int32, of session: Session) {
        self.made = made
        self.next = next
        self.fd = fd
        self.session = session
    }

    /// libmicrohttpd asks for up to `count` bytes.
    func read(into target: UnsafeMutableRawPointer, count: Int) -> Int {
        while let first = made.first, taken == first.count {
            made.removeFirst()
            taken = 0
        }
        if made.isEmpty {
            do {
                guard let piece = try next() else { return Int(MHD_CONTENT_READER_END_OF_STREAM) }
                made.append(piece)
            } catch {
                // The headers are gone already: the client sees that the answer breaks off.
                return Int(MHD_CONTENT_READER_END_WITH_ERROR)
            }
        }
        let available = min(count, made[0].count - taken)
        made[0].withUnsafeBytes { target.copyMemory(from: $0.baseAddress! + taken, byteCount: available) }
        taken += available
        session.took(available, fd)
        return available
    }
}
