import CDatapath
import Flows
import Glibc
import NetworkTypes

// What others took away is put back.
extension Datapath {
    /// Are the programs still where they were attached? Others may take them away.
    /// - Precondition: the calling thread is in the interface's namespace.
    public func isAttached(_ id: InterfaceID) throws(BPFError) -> Bool {
        guard let attachment = attachments[id] else { return false }
        for link in attachment.links where try link.ifindex() != attachment.record.ifindex { return false }
        guard attachment.record.attachment == NILO_ATTACH_CLSACT.rawValue else { return true }
        for direction in Direction.allCases {
            let filter = ClsactFilter(
                ifindex: attachment.record.ifindex, direction: direction, priority: attachment.record.priority(direction))
            let program = direction == .ingress ? attachment.group.program.ingress : attachment.group.program.egress
            if try !filter.runs(program: program) { return false }
        }
        return true
    }

    /// Puts the programs back on an interface that others took them off. It stays the same interface with the same books: what passed
    /// meanwhile is what its device counted and we did not.
    /// - Precondition: the calling thread is in the interface's namespace.
    public func reattach(_ id: InterfaceID) throws(BPFError) {
        guard var attachment = attachments[id] else { return }
        let record = attachment.record
        let device = Device(ifindex: record.ifindex, name: record.deviceName, namespaceCookie: record.netns_cookie)
        if record.attachment == NILO_ATTACH_TCX.rawValue {
            for link in attachment.links { try link.detach() }
            attachment.links = try attachTCX(id, device, attachment.group.program)
        } else {
            try attachClsact(&attachment.record, device, attachment.group.program)
            try registry.store(attachment.record, id: id)
            records[id] = attachment.record
        }
        attachments[id] = attachment
    }

    /// Makes pins again that others removed: without them the counts would not outlive this process.
    /// - Returns: whether any was missing.
    public func restorePins() throws(BPFError) -> Bool {
        guard let pins = options.pins else { return false }
        var isMissing = false
        if !pins.hasMaps {
            try pins.makeDirectories()
            try maps.pin(in: pins.maps)
            isMissing = true
        }
        for (id, attachment) in attachments {
            for (link, direction) in zip(attachment.links, Direction.allCases) where access(pins.link(id, direction), F_OK) != 0 {
                try pins.makeDirectories()
                try link.pin(at: pins.link(id, direction))
                isMissing = true
            }
        }
        return isMissing
    }
}
