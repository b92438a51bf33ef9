import NetworkTypes

/// What endpoints are called, by DNS for an address wherever it is, or by those who talked to it in one network. The oldest go first.
struct NameBook {
    private struct Place: Hashable {
        var address: IPAddress
        var network: NetworkKey?
    }

    private let limit: Int
    private var names: [Place: String] = [:]
    private var order: [Place] = []
    private var oldest = 0
    private var fresh: Set<Place> = []

    init(limit: Int) { self.limit = max(1, limit) }

    mutating func set(_ name: String, of address: IPAddress, in network: NetworkKey?) {
        let place = Place(address: address, network: network)
        let old = names.updateValue(String(name.prefix(253)), forKey: place)
        if old == name { return }
        fresh.insert(place)
        guard old == nil else { return }
        if order.count < limit {
            order.append(place)
        } else {
            names[order[oldest]] = nil
            order[oldest] = place
            oldest = (oldest + 1) % limit
        }
    }

    /// Names that have changed since.
    mutating func takeFresh() -> [(IPAddress, NetworkKey?)] {
        defer { fresh = [] }
        return fresh.map { ($0.address, $0.network) }
    }

    /// The state of a node with its name, if it is an endpoint that has one.
    func named(_ state: EntityState, _ node: NodeKey) -> EntityState {
        guard !names.isEmpty, case .endpoint(let network, let address) = node,
            let name = names[Place(address: address, network: network)] ?? names[Place(address: address, network: nil)]
        else { return state }
        var endpoint = EndpointState()
        if case .endpoint(let known) = state { endpoint = known }
        endpoint.name = name
        return .endpoint(endpoint)
    }
}
