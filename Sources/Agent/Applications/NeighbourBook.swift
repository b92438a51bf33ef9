import Dissection
import NetworkTypes
import Topology

/// Who announces itself on which interface (LLDP), for as long as each announcement holds.
struct NeighbourBook {
    private struct Entry {
        var neighbour: LinkNeighbour
        var until: ContinuousClock.Instant
    }

    private var entries: [InterfaceID: [Entry]] = [:]

    /// On one interface: a hub or a wire in between may show several.
    static let most = 8
    /// Seconds. An hour is more than any system needs (the standard's default is two minutes).
    private static let longest: UInt16 = 3600

    /// - Returns: false for one too many.
    mutating func learn(_ announcement: LLDPNeighbour, on interface: InterfaceID, now: ContinuousClock.Instant) -> Bool {
        let neighbour = LinkNeighbour(announcement)
        var there = entries[interface] ?? []
        there.removeAll { $0.neighbour == neighbour }
        if announcement.timeToLive > 0 {
            guard there.count < Self.most else { return false }
            there.append(Entry(neighbour: neighbour, until: now + .seconds(Int(min(announcement.timeToLive, Self.longest)))))
        }
        entries[interface] = there.isEmpty ? nil : there
        return true
    }

    func known(on interface: InterfaceID) -> [LinkNeighbour] {
        (entries[interface] ?? []).map(\.neighbour).sorted { ($0.system, $0.port) < ($1.system, $1.port) }
    }

    /// Lets go of announcements that hold no longer, and of interfaces that are gone.
    /// - Returns: the interfaces where something has changed.
    mutating func expire(now: ContinuousClock.Instant, keeping interfaces: Set<InterfaceID>) -> [InterfaceID] {
        var changed: [InterfaceID] = []
        for (interface, there) in entries {
            let left = interfaces.contains(interface) ? there.filter { $0.until > now } : []
            guard left.count != there.count else { continue }
            entries[interface] = left.isEmpty ? nil : left
            changed.append(interface)
        }
        return changed.sorted()
    }
}

extension LinkNeighbour {
    init(_ announcement: LLDPNeighbour) {
        var mac: MACAddress?
        if case .mac(let address) = announcement.port { mac = address }
        // A port that only has an address may be described by its name.
        let port = mac == nil ? announcement.port.text : announcement.portDescription ?? announcement.port.text
        self.init(system: announcement.systemName ?? announcement.chassis.text, port: port, mac: mac)
    }
}
