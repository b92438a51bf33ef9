import Datapath
import Flows
import Netlink
import NetworkTypes
import Reports

/// Draws up the ledger of an interface: the programs' books, the device's counters, and every difference by name.
struct Bookkeeper {
    let datapath: Datapath
    let follower: InterfaceFollower

    /// - Parameter resident: `SlotReader.resident()`, read once for all interfaces.
    func report(_ interface: Datapath.Interface, resident: [Totals], isAlive: Bool, closedAt: Timestamp?) -> InterfaceReport {
        let place = isAlive ? follower.place(of: interface.id) : nil
        let link = place.flatMap { place in try? place.namespace.socket.link(place.index) }
        let counters = link.flatMap { link in try? place?.namespace.counters(of: link.index) }
        func ledger(_ direction: Direction) -> LedgerReport {
            self.ledger(interface, direction, resident: resident, device: counters?[Int(direction.rawValue)], link: link)
        }
        return InterfaceReport(
            name: interface.name, id: interface.id, index: interface.ifindex, namespace: place?.namespace.owner,
            attachment: interface.mode.rawValue, attachedAt: interface.attachedAt, closedAt: closedAt, ingress: ledger(.ingress),
            egress: ledger(.egress))
    }

    private func ledger(
        _ interface: Datapath.Interface, _ direction: Direction, resident: [Totals], device: DeviceCounters?, link: LinkObservation?
    ) -> LedgerReport {
        let books = datapath.books(interface.id, direction) ?? Books()
        let slots = datapath.ledgerIndex(interface.id, direction).map { resident[$0] } ?? Totals()
        let base = interface.base[Int(direction.rawValue)]
        let unsure = interface.baseUnsure[Int(direction.rawValue)]
        var differences: [LedgerReport.Difference] = []
        if let device, let link {
            if direction == .egress {
                let queue = device.queueDrops &- base.queueDrops
                let driver = device.driverDrops &- base.driverDrops
                if queue > 0 { differences.append(.init(.qdiscDrops, packets: queue, bytes: nil)) }
                if driver > 0 { differences.append(.init(.driverDrops, packets: driver, bytes: nil)) }
            }
            if link.leavesOutEthernetHeader(direction) {
                differences.append(.init(.ethernetHeader, packets: 0, bytes: 14 * (device.packets &- base.packets)))
            }
        }
        return LedgerReport(
            seen: books.seen, inSlots: slots, retired: books.retired,
            overflow: zip(LedgerReport.OverflowReason.allCases, books.overflow).filter { !$1.isZero }.map { .init(reason: $0, totals: $1) },
            remarks: zip(LedgerReport.RemarkKind.allCases, books.remarks).filter { $1 > 0 }.map { .init($0, count: $1) },
            device: device.map {
                .init(
                    packets: $0.packets, bytes: $0.bytes, baselinePackets: base.packets, baselineBytes: base.bytes,
                    baselineUnsurePackets: unsure.packets, baselineUnsureBytes: unsure.bytes, counts: link?.countsSegments == true ? .wire : .skbs)
            }, differences: differences)
    }
}

extension LinkObservation {
    /// Hardware counts what is on the wire; devices made of software, and virtio, count skbs.
    var countsSegments: Bool { kind.isEmpty && !flags.contains(.loopback) && !isVirtual }

    /// A network device without a kind and without hardware behind it that we can see: paravirtual ones count skbs too.
    private var isVirtual: Bool { SystemFiles.link("/sys/class/net/\(name)/device/driver")?.hasSuffix("virtio_net") ?? true }

    /// Bridges count what they pass up, and VXLAN devices what they wrap and unwrap, without the 14 bytes of Ethernet header
    /// (br_pass_frame_up, vxlan_rcv and iptunnel_xmit in the kernel).
    func leavesOutEthernetHeader(_ direction: Direction) -> Bool { kind == "vxlan" || kind == "bridge" && direction == .ingress }
}
