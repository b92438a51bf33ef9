import Datapath
import Flows
import Netlink
import NetworkTypes
import Reports

/// Draws up the ledger of an interface: the programs' books, the device's counters, and every difference by name.
///
/// The books go on while they are read. What is read is put between two readings of the program's own count, tried again while packets pass,
/// and where they never pause the ledger says by how much it may be off.
struct Bookkeeper {
    let datapath: Datapath
    let follower: InterfaceFollower
    let drops: DropLedger?
    /// Drops are known since then.
    let startedAt: Timestamp

    /// How often a reading that packets passed through is taken again.
    private static let attempts = 4

    /// All interfaces at about one moment: books, slots, devices, books again.
    private struct Reading {
        var before: [ObservationPoint: Books] = [:]
        var resident: [ObservationPoint: Totals] = [:]
        var devices: [InterfaceID: (link: LinkObservation, counters: [DeviceCounters])] = [:]
        var after: [ObservationPoint: Books] = [:]
    }

    func reports(_ interfaces: [Datapath.Interface]) -> [InterfaceReport] {
        var reading = read(interfaces)
        for _ in 1..<Self.attempts where reading.before != reading.after { reading = read(interfaces) }
        return interfaces.map { report($0, reading) }
    }

    private func read(_ interfaces: [Datapath.Interface]) -> Reading {
        var reading = Reading()
        reading.before = books(interfaces)
        reading.resident = datapath.reader.resident()
        for interface in interfaces {
            // An interface that vanishes meanwhile has no counters any more; its books are all there is.
            guard let place = follower.place(of: interface.id), let link = try? place.namespace.socket.link(place.index),
                let counters = try? place.namespace.counters(of: place.index)
            else { continue }
            reading.devices[interface.id] = (link, counters)
        }
        reading.after = books(interfaces)
        return reading
    }

    private func books(_ interfaces: [Datapath.Interface]) -> [ObservationPoint: Books] {
        var books: [ObservationPoint: Books] = [:]
        for interface in interfaces {
            for direction in Direction.allCases {
                books[ObservationPoint(interface: interface.id, direction: direction)] = datapath.books(interface.id, direction)
            }
        }
        return books
    }

    private func report(_ interface: Datapath.Interface, _ reading: Reading) -> InterfaceReport {
        let drops = try? self.drops?.drops(interface)
        // Where the agent took over, earlier drops are not known, and a part would explain nothing.
        let known = interface.attachedAt >= startedAt ? drops ?? [] : []
        var report = InterfaceReport(
            name: interface.name, id: interface.id, index: interface.ifindex, namespace: follower.place(of: interface.id)?.namespace.owner,
            attachment: interface.mode.rawValue, attachedAt: interface.attachedAt, closedAt: datapath.closedAt(interface.id),
            ingress: ledger(interface, .ingress, reading, DropLedger.differences(known)), egress: ledger(interface, .egress, reading, []))
        report.drops = drops
        return report
    }

    private func ledger(_ interface: Datapath.Interface, _ direction: Direction, _ reading: Reading, _ explained: [LedgerReport.Difference])
        -> LedgerReport
    {
        let way = Int(direction.rawValue)
        let point = ObservationPoint(interface: interface.id, direction: direction)
        let books = reading.after[point] ?? Books()
        let before = reading.before[point] ?? Books()
        let resident = reading.resident[point] ?? Totals()
        let link = reading.devices[interface.id]?.link
        let device = reading.devices[interface.id]?.counters[way]
        let base = interface.base[way]
        let unsure = interface.baseUnsure[way]
        let passed = books.seen - before.seen
        var differences = explained
        if let device, let link {
            if direction == .egress {
                // A root qdisc that came since counts from zero.
                let queue = device.queueDrops >= base.queueDrops ? device.queueDrops - base.queueDrops : device.queueDrops
                let driver = device.driverDrops &- base.driverDrops
                if queue > 0 { differences.append(.init(.qdiscDrops, packets: queue, bytes: nil)) }
                if device.waitingPackets > 0 {
                    differences.append(.init(.waiting, packets: device.waitingPackets, bytes: device.waitingBytes))
                }
                if driver > 0 { differences.append(.init(.driverDrops, packets: driver, bytes: nil)) }
            }
            if link.leavesOutEthernetHeader(direction) {
                differences.append(.init(.ethernetHeader, packets: 0, bytes: 14 * (device.packets &- base.packets)))
            }
        }
        let policed = direction == .egress ? books.policed : Totals()
        let isWire = device.map { link?.countsSegments == true || countsWire($0, base, books.seen - policed, differences) } ?? false
        if device != nil, !policed.isZero {
            differences.append(
                isWire
                    ? .init(.policed, packets: policed.wirePackets, bytes: policed.wireBytes)
                    : .init(.policed, packets: policed.skbs, bytes: policed.skbBytes))
        }
        return LedgerReport(
            seen: books.seen, inSlots: resident, retired: books.retired,
            overflow: zip(LedgerReport.OverflowReason.allCases, books.overflow).filter { !$1.isZero }.map { .init(reason: $0, totals: $1) },
            remarks: zip(LedgerReport.RemarkKind.allCases, books.remarks).filter { $1 > 0 }.map { .init($0, count: $1) },
            device: device.map {
                .init(
                    packets: $0.packets, bytes: $0.bytes, baselinePackets: base.packets, baselineBytes: base.bytes,
                    baselineUnsurePackets: unsure.packets + passed.wirePackets, baselineUnsureBytes: unsure.bytes + passed.wireBytes,
                    counts: isWire ? .wire : .skbs)
            }, differences: differences,
            movedWhileRead: passed + (books.retired - before.retired) + (books.overflowTotal - before.overflowTotal))
    }

    /// A device made of software counts segments too where super-packets are cut between the hook and the device (no TSO, while TCP makes
    /// them all the same) or put together between the device and the hook (GRO). Its count tells: which of ours is it nearer to?
    private func countsWire(
        _ device: DeviceCounters, _ base: DeviceCounters, _ seen: Totals, _ differences: [LedgerReport.Difference]
    ) -> Bool {
        let named = differences.reduce(Int64(0)) { $0 &+ $1.packets }
        let counted = Int64(truncatingIfNeeded: device.packets &- base.packets) &- named
        func distance(_ packets: UInt64) -> UInt64 { (counted &- Int64(truncatingIfNeeded: packets)).magnitude }
        return distance(seen.wirePackets) < distance(seen.skbs)
    }
}

extension LinkObservation {
    /// Hardware counts what is on the wire; devices made of software, and virtio, count skbs.
    var countsSegments: Bool { kind.isEmpty && !flags.contains(.loopback) && !isVirtual }

    /// A network device without a kind and without hardware behind it that we can see: paravirtual ones count skbs too.
    private var isVirtual: Bool { SystemFiles.link("/sys/class/net/\(name)/device/driver")?.hasSuffix("virtio_net") ?? true }

    /// Bridges count what they pass up, VXLAN devices what they wrap and unwrap, and loopback everything, without the 14 bytes of
    /// Ethernet header (br_pass_frame_up, vxlan_rcv, iptunnel_xmit and loopback_xmit in the kernel).
    func leavesOutEthernetHeader(_ direction: Direction) -> Bool {
        kind == "vxlan" || flags.contains(.loopback) || kind == "bridge" && direction == .ingress
    }
}
