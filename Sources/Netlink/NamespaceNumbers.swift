import CNetlink

extension NetlinkSocket {
    /// `ip netns list-id`: the numbers by which this namespace knows others, rising.
    public func namespaceNumbers() throws(NetlinkError) -> [Int32] {
        try dump(RTM_GETNSID, rtgenmsg(), "dump namespace numbers") { message in
            message.type == RTM_NEWNSID ? Self.namespaceNumber(message.payload) : nil
        }.sorted()
    }

    /// `ip netns list-id` of one: the number by which this namespace knows `other`; nil when it has none for it.
    public func namespaceNumber(of other: NetworkNamespace) throws(NetlinkError) -> Int32? {
        var number: Int32?
        let descriptor = withUnsafeBytes(of: other.descriptor) { Array($0) }
        try request(RTM_GETNSID, rtgenmsg(), [(NETNSA_FD, descriptor)], "read the number of network namespace \(other.label)") { message in
            if message.type == RTM_NEWNSID { number = Self.namespaceNumber(message.payload) }
        }
        return number
    }

    /// Which namespace each number of this one stands for, as far as it is among `others`: what ``LinkObservation/peerNamespace`` means.
    ///
    /// Read the links first: the kernel gives a namespace its number when it is first told. One request for each of `others`, none where this
    /// namespace has no numbers.
    public func namespacesByNumber(among others: [NetworkNamespace]) throws(NetlinkError) -> [Int32: NamespaceID] {
        var missing = Set(try namespaceNumbers())
        var found: [Int32: NamespaceID] = [:]
        for other in others where !missing.isEmpty {
            guard let number = try namespaceNumber(of: other) else { continue }
            found[number] = other.id
            missing.remove(number)
        }
        return found
    }

    /// From the payload of RTM_NEWNSID or RTM_DELNSID; nil when it is cut short or tells of no number.
    static func namespaceNumber(_ payload: UnsafeRawBufferPointer) -> Int32? {
        let number = NetlinkAttributes(payload, after: MemoryLayout<rtgenmsg>.size).first { $0.type == NETNSA_NSID }
        guard let number: Int32 = number?.value.value(), number >= 0 else { return nil }
        return number
    }
}
