import Configuration
import Flows
import Netlink
import NetworkTypes
import Topology

/// The entry of libFuzzer: the first byte says which reader of outside bytes gets the rest. Whatever they are, a reader may refuse them and may
/// not crash; what it took must survive being written and read again.
///
/// Built only when FUZZ is set (tools/fuzz): the target has no main of its own.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard size > 0 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data + 1, count: size - 1)
    switch data[0] % 9 {
    case 0: filter(bytes)
    case 1: configuration(bytes)
    case 2: addresses(bytes)
    case 3: _ = LinkObservation(bytes)
    case 4: _ = QdiscObservation(bytes)
    case 5: _ = FilterObservation(bytes)
    case 6: policy(bytes)
    case 7: facts(bytes)
    default: _ = SocketObservation(bytes, ipProtocol: 6)
    }
    return 0
}

/// What netlink brings of the topology.
private func facts(_ bytes: UnsafeRawBufferPointer) {
    _ = (InterfaceAddress(netlink: bytes), Route(netlink: bytes), NexthopObject(netlink: bytes), RoutingRule(netlink: bytes))
    _ = (Neighbour(netlink: bytes), ForwardingEntry(netlink: bytes), NetfilterChain(netlink: bytes), TranslatedFlow(netlink: bytes))
}

private func filter(_ bytes: UnsafeRawBufferPointer) {
    guard let filter = try? FlowFilter(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
    guard let again = try? FlowFilter(parsing: filter.description), again == filter else {
        fatalError("the filter \(filter) does not survive being written")
    }
}

private func configuration(_ bytes: UnsafeRawBufferPointer) {
    guard let configuration = try? AgentConfiguration.parse(Array(bytes), file: "fuzz") else { return }
    guard let again = try? AgentConfiguration.parse(Array(configuration.render().utf8), file: "again"), again == configuration else {
        fatalError("the configuration does not survive being written:\n\(configuration.render())")
    }
}

private func policy(_ bytes: UnsafeRawBufferPointer) {
    let noLists = PrefixListReader { (path) throws(PolicyDirectory.Failure) in throw .init(operation: "open \(path)", code: 2) }
    guard let policy = try? PolicyFile.parse(Array(bytes), file: "fuzz", readList: noLists).policy else { return }
    let text = PolicyFile.render(policy)
    guard let again = try? PolicyFile.parse(Array(text.utf8), file: "again", readList: noLists).policy, again == policy else {
        fatalError("the policy does not survive being written:\n\(text)")
    }
}

private func addresses(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let address = IPAddress(text), IPAddress(address.description) != address { fatalError("the address \(address) does not survive") }
    if let prefix = try? IPPrefix(parsing: text), (try? IPPrefix(parsing: prefix.description)) != prefix {
        fatalError("the prefix \(prefix) does not survive")
    }
}
