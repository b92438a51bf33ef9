import API
import Flows
import NetworkTypes
import PCAPNG

/// Writes captured packets to a client, as one section of pcapng. A client that reads too slowly loses packets and is told how many.
final class CaptureStreamOutput: CaptureOutput {
    private let stream: ControlStream
    /// So many packets and no more; nil: until the client goes.
    private let limit: UInt64?
    private var encoder = PCAPNGEncoder()
    /// Blocks without which no later one can be read.
    private var head: [UInt8] = []
    private var numbers: [InterfaceID: UInt32] = [:]
    private var comments = FlowComments()
    /// Packets that the encoder holds.
    private var waiting: UInt64 = 0
    private var untold: UInt64 = 0
    private(set) var written: UInt64 = 0
    private(set) var lost: UInt64 = 0
    private(set) var isOver = false
    var problem: String? { nil }

    init(_ stream: ControlStream, limit: UInt64?) {
        self.stream = stream
        self.limit = limit
        encoder.addSection(hardware: "", system: "Linux", application: "nilo")
        keepHead()
    }

    func take(_ batch: CaptureBatch) {
        // Who has had enough loses nothing.
        if isOver { return }
        for interface in batch.interfaces {
            numbers[interface.id] = encoder.addInterface(name: interface.name, linkType: interface.linkType)
        }
        keepHead()
        untold += batch.lost
        guard sendHead() else {
            lost += batch.packets
            untold += batch.packets
            return
        }
        batch.forEach { packet in
            let key = packet.sample.key
            guard !isOver, let interface = numbers[key.interface] else { return !isOver }
            encoder.addPacket(
                interface: interface, time: packet.time, data: packet.sample.header, inserting: packet.tag,
                wireLength: packet.sample.packetBytes, direction: packet.direction, drops: untold, comment: comments.first(of: key))
            untold = 0
            waiting += 1
            if let limit, written + waiting >= limit {
                flush()
                if written >= limit {
                    stream.finish()
                    isOver = true
                }
            } else if encoder.bytes.count >= 1 << 16 {
                flush()
            }
            return !isOver
        }
    }

    func flush() {
        guard sendHead(), waiting > 0 else { return }
        if send(encoder.bytes) {
            written += waiting
        } else {
            lost += waiting
            untold += waiting
        }
        waiting = 0
        encoder.removeAll()
    }

    func finish() {
        flush()
        stream.finish()
        isOver = true
    }

    private func keepHead() {
        head += encoder.bytes
        encoder.removeAll()
    }

    private func sendHead() -> Bool {
        if head.isEmpty { return !isOver }
        guard send(head) else { return false }
        head = []
        return true
    }

    private func send(_ bytes: [UInt8]) -> Bool {
        switch stream.write(bytes) {
        case .accepted: return true
        case .dropped: return false
        case .closed:
            isOver = true
            return false
        }
    }
}
