import CDatapath
import Flows
import NetworkTypes

extension Datapath.Interface {
    init(id: InterfaceID, _ record: nilo_interface) {
        self.init(
            id: id, name: record.deviceName, ifindex: record.ifindex, namespaceCookie: record.netns_cookie,
            mode: record.attachment == NILO_ATTACH_TCX.rawValue ? .tcx : .clsact,
            attachedAt: Timestamp(nanoseconds: Int64(record.attached_unix_ns)),
            base: [
                DeviceCounters(packets: record.base_packets.0, bytes: record.base_bytes.0),
                DeviceCounters(
                    packets: record.base_packets.1, bytes: record.base_bytes.1, driverDrops: record.base_driver_drops,
                    queueDrops: record.base_queue_drops),
            ],
            baseUnsure: [
                DeviceCounters(packets: record.base_unsure_packets.0, bytes: record.base_unsure_bytes.0),
                DeviceCounters(packets: record.base_unsure_packets.1, bytes: record.base_unsure_bytes.1),
            ])
    }
}

extension nilo_interface {
    /// Ingress preference in the low half, egress in the high half.
    func priority(_ direction: Direction) -> UInt32 { direction == .ingress ? filter_priority & 0xFFFF : filter_priority >> 16 }
    mutating func setPriority(_ priority: UInt32, _ direction: Direction) {
        filter_priority = direction == .ingress ? filter_priority & 0xFFFF_0000 | priority : filter_priority & 0xFFFF | priority << 16
    }
    mutating func setBase(before: [DeviceCounters], after: [DeviceCounters]) {
        base_packets = (before[0].packets, before[1].packets)
        base_bytes = (before[0].bytes, before[1].bytes)
        base_driver_drops = before[1].driverDrops
        base_queue_drops = before[1].queueDrops
        // A packet that was dropped while the programs were being attached is in the baseline or not, and so in the rest or not.
        let drops = after[1].driverDrops &- before[1].driverDrops &+ (after[1].queueDrops &- before[1].queueDrops)
        base_unsure_packets = (after[0].packets &- before[0].packets, after[1].packets &- before[1].packets &+ drops)
        base_unsure_bytes = (after[0].bytes &- before[0].bytes, after[1].bytes &- before[1].bytes)
    }
}
