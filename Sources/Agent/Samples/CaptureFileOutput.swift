import Flows
import NetworkTypes
import PCAPNG
import Policy

/// Writes captured packets to rotating files. What a full disk does not take is counted, and a second later it is tried again.
final class CaptureFileOutput: CaptureOutput {
    private let file: MirrorRule.CaptureFile
    private var writer: CaptureWriter?
    private var interfaces: [CaptureBatch.Interface] = []
    private var numbers: [InterfaceID: UInt32] = [:]
    private var comments = FlowComments()
    private var offered: UInt64 = 0
    /// Lost, and not yet told in the file.
    private var untold: UInt64 = 0
    private var retryAt: ContinuousClock.Instant?
    private var writtenAtFailure: UInt64 = 0
    private(set) var problem: String?
    /// As of the last flush or failure.
    private(set) var lost: UInt64 = 0
    var written: UInt64 { writer?.packetsWritten ?? 0 }
    var isOver: Bool { false }

    init(_ file: MirrorRule.CaptureFile) { self.file = file }

    func take(_ batch: CaptureBatch) {
        for interface in batch.interfaces {
            interfaces.append(interface)
            if let writer { numbers[interface.id] = writer.addInterface(name: interface.name, linkType: interface.linkType) }
        }
        offered += batch.packets
        untold += batch.lost
        if let retryAt, ContinuousClock.now < retryAt { return settle() }
        do {
            let writer = try opened()
            try batch.forEach { packet in
                let key = packet.sample.key
                guard let interface = numbers[key.interface] else { return true }
                let drops = untold
                untold = 0
                try writer.addPacket(
                    interface: interface, time: packet.time, data: packet.sample.header, inserting: packet.tag,
                    wireLength: packet.sample.packetBytes, direction: packet.direction, drops: drops, comment: comments.first(of: key))
                return true
            }
        } catch { fail(error) }
    }

    func flush() {
        guard let writer, retryAt.map({ ContinuousClock.now >= $0 }) ?? true else { return }
        do {
            try writer.flush()
            settle()
            succeed()
        } catch { fail(error) }
    }

    func finish() {
        guard let writer else { return }
        do {
            try writer.finish()
            settle()
        } catch { fail(error) }
    }

    /// Something went to the disk since the failure.
    private func succeed() {
        guard retryAt == nil || written > writtenAtFailure else { return }
        (problem, retryAt) = (nil, nil)
    }

    private func opened() throws -> CaptureWriter {
        if let writer { return writer }
        let new = try CaptureWriter(.files(path: file.path, size: file.size.rawValue, count: file.files))
        for interface in interfaces { numbers[interface.id] = new.addInterface(name: interface.name, linkType: interface.linkType) }
        writer = new
        return new
    }

    private func fail(_ error: any Error) {
        writer?.abandon()
        problem = "\(error)"
        retryAt = .now + .seconds(1)
        writtenAtFailure = written
        settle()
    }

    /// With nothing kept back: what was not written is lost.
    private func settle() {
        let now = offered - written
        untold += now - lost
        lost = now
    }
}
