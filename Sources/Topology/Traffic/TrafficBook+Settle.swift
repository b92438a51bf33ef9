import Flows
import NetworkTypes

// Giving conversations their links.

extension TrafficBook {
    private struct PortUse: Hashable {
        var party: Party
        var transport: UInt8
    }

    /// After everything that was reported of an epoch has been merged.
    mutating func settle(epoch: UInt64, graph: inout Graph) {
        let due = takeDue()
        var uses: [PortUse: Int] = [:]
        for number in due where conversations[number].isLive && conversations[number].placement == .waiting {
            let key = conversations[number].key
            uses[PortUse(party: key.parties.0, transport: key.transport), default: 0] += 1
            uses[PortUse(party: key.parties.1, transport: key.transport), default: 0] += 1
        }
        for number in due where conversations[number].isLive {
            conversations[number].isDue = false
            for side in 0...1 {
                conversations[number][side].total &+= conversations[number][side].fresh.packets
                conversations[number][side].held += conversations[number][side].fresh
                conversations[number][side].fresh = Conversation.Amount()
            }
            if !settle(number, uses, epoch, &graph) { waiting.append(number) }
        }
        var still: [UInt32] = []
        for number in waiting {
            guard conversations[number].isLive, conversations[number].placement == .waiting else { continue }
            if conversations[number].seen == epoch || !settle(number, uses, epoch, &graph) { still.append(number) }
        }
        // A place that was used again may be in the list twice.
        waiting = Array(Set(still)).sorted()
    }

    /// False when the conversation goes on waiting.
    private mutating func settle(_ number: UInt32, _ uses: [PortUse: Int], _ epoch: UInt64, _ graph: inout Graph) -> Bool {
        if conversations[number].key.tunnel != 0 {
            settleTunnel(number, epoch, &graph)
            return true
        }
        if conversations[number].placement == .waiting || conversations[number].placement == .unanswered {
            let conversation = conversations[number]
            let server = ServerSide.of(conversation) { side in
                guard let node = endpoint(conversation.key[side], graph) else { return false }
                let key = ServerKey(
                    node: node.rawValue, transport: conversation.key.transport, port: conversation.key[side].port)
                return servers[key] != nil
            } fanIn: { side in
                uses[PortUse(party: conversation.key[side], transport: conversation.key.transport)] ?? 0
            }
            let isAnswered = conversation.isAnswered(server: server)
            if !isAnswered {
                if conversation.placement == .waiting, conversation.started > clock.epoch(secondsAgo: limits.answerEpochs) { return false }
                if conversation.placement == .waiting || !isPlaced(number, graph) {
                    conversations[number].server = server
                    counters.unansweredFlows += conversation.placement == .waiting ? 1 : 0
                    place(number, isAnswered: false, 0, epoch, &graph)
                }
                flush(number, epoch, &graph)
                return true
            }
            release(number, graph: &graph, removingLink: false)
            conversations[number].server = server
            conversations[number].placement = .waiting
        }
        let mayUnfold =
            conversations[number].placement == .folded && conversations[number].placed <= clock.epoch(secondsAgo: limits.unfoldEpochs)
        if !isPlaced(number, graph) || mayUnfold && hasRoom(number, graph) {
            release(number, graph: &graph, removingLink: false)
            let key = conversations[number].key
            let fan = uses[PortUse(party: key[conversations[number].server!], transport: key.transport)] ?? 0
            place(number, isAnswered: true, fan, epoch, &graph)
        }
        flush(number, epoch, &graph)
        return true
    }

    func endpoint(_ party: Party, _ graph: Graph) -> NodeID? { graph.node(.endpoint(network(party.network), party.address)) }

    func isPlaced(_ number: UInt32, _ graph: Graph) -> Bool {
        let link = conversations[number].link
        return link != .max && graph.isLive(LinkID(rawValue: link)) && graph.links[Int(link)].born == conversations[number].born
    }

    /// Whether ends that are under a prefix could have nodes of their own: well below the bound, or they would be back at once.
    private func hasRoom(_ number: UInt32, _ graph: Graph) -> Bool {
        guard graph.nodeCount * 4 < limits.nodes * 3, talks * 4 < limits.communications * 3 else { return false }
        let key = conversations[number].key
        return (0...1).allSatisfy { side in
            let network = graph.node(.network(network(key[side].network)))
            let count = network.map { Int(graph.nodes[Int($0.rawValue)].degree) } ?? 0
            return count * 4 < limits.endpointsPerNetwork * 3
        }
    }

    /// The node of one end: its own, or the prefix that it is under.
    mutating func node(_ party: Party, isAnswered: Bool, _ epoch: UInt64, _ graph: inout Graph) -> (NodeID, isFolded: Bool) {
        let name = network(party.network)
        let key = NodeKey.endpoint(name, party.address)
        if let known = graph.node(key) { return (known, false) }
        let count = graph.node(.network(name)).map { Int(graph.nodes[Int($0.rawValue)].degree) } ?? 0
        if isAnswered, count < limits.endpointsPerNetwork, graph.nodeCount < limits.nodes {
            let node = graph.ensure(key)
            made.append(node)
            return (node, false)
        }
        counters.foldedEnds += 1
        let oldest = clock.epoch(secondsAgo: limits.unfoldEpochs)
        return (folds.node(of: party.address, in: name, epoch: epoch, oldest: oldest, graph: &graph), true)
    }

    mutating func place(_ number: UInt32, isAnswered: Bool, _ fanIn: Int, _ epoch: UInt64, _ graph: inout Graph) {
        let conversation = conversations[number]
        let key = conversation.key
        let server = conversation.server!
        let serverPort = key[server].port
        // A port that neither a name nor several clients vouch for may be any: all such of a pair are one link.
        let isService = isAnswered && (ServerSide.rank(serverPort) < 2 || ServerSide.rank(serverPort) == 2 && fanIn >= 3)
        let port = isService ? serverPort : 0
        var (a, aFolded) = node(key[1 - server], isAnswered: isAnswered, epoch, &graph)
        var (b, bFolded) = node(key[server], isAnswered: isAnswered, epoch, &graph)
        let application = isAnswered && conversation.application > 0 ? applications[Int(conversation.application) - 1] : nil
        var qualifier = graph.packed(.flow(IPProtocol(rawValue: key.transport), port: port, application: application))
        var link = graph.link(.talks, a, b, qualifier)
        if link == nil, talks >= limits.communications {
            counters.networkFlows += 1
            if let name = PackedQualifier.application(qualifier) { graph.removeIfUnneeded(NodeID(rawValue: name)) }
            let ends = (graph.ensure(.network(network(key[1 - server].network))), graph.ensure(.network(network(key[server].network))))
            for unused in [a, b] { graph.removeIfUnneeded(unused) }
            ((a, aFolded), (b, bFolded)) = ((ends.0, true), (ends.1, true))
            qualifier = PackedQualifier.flow(key.transport, 0, application: nil)
            link = graph.link(.talks, a, b, qualifier)
        }
        let id = link ?? makeTalk(a, b, qualifier, serverPort: bFolded ? 0 : port, &graph)
        conversations[number].link = id.rawValue
        conversations[number].born = graph.links[Int(id.rawValue)].born
        conversations[number].placed = epoch
        conversations[number].placement = !isAnswered ? .unanswered : aFolded || bFolded ? .folded : .own
        let traffic = Int(graph.links[Int(id.rawValue)].traffic)
        if isAnswered { graph.traffic[traffic].flows += 1 } else { graph.traffic[traffic].unanswered &+= 1 }
    }

    private mutating func makeTalk(_ a: NodeID, _ b: NodeID, _ qualifier: UInt64, serverPort: UInt16, _ graph: inout Graph) -> LinkID {
        talks += 1
        let id = graph.setLink(.talks, a, b, qualifier, state: Graph.plain)
        // What is said to a group or to everybody is no server's.
        guard serverPort != 0, case .endpoint(let network, let address) = graph.nodes[Int(b.rawValue)].key, !address.isSpecial,
            !resolution.isBroadcast(address, in: network)
        else { return id }
        let transport = UInt8(truncatingIfNeeded: qualifier >> 48)
        let count = servers[ServerKey(node: b.rawValue, transport: transport, port: serverPort), default: 0]
        servers[ServerKey(node: b.rawValue, transport: transport, port: serverPort)] = count + 1
        if count == 0 {
            let service = graph.ensure(.service(network, IPProtocol(rawValue: transport), serverPort))
            graph.setLink(.serves, b, service, 0, state: Graph.plain)
        }
        return id
    }

    /// What is held goes into the link.
    mutating func flush(_ number: UInt32, _ epoch: UInt64, _ graph: inout Graph) {
        let server = conversations[number].server!
        let halves = (conversations[number][1 - server], conversations[number][server])
        let link = LinkID(rawValue: conversations[number].link)
        let place = Int(graph.links[Int(link.rawValue)].traffic)
        if graph.traffic[place].epoch != epoch { active.append(link) }
        graph.traffic[place].add(
            forward: halves.0.held, backward: halves.1.held, from: min(halves.0.first, halves.1.first), to: conversations[number].last,
            epoch: epoch)
        conversations[number].halves.0.held = Conversation.Amount()
        conversations[number].halves.1.held = Conversation.Amount()
        guard conversations[number].watch < .max - 1 else { return }
        var parts = (halves.0.handshake, halves.1.handshake)
        if conversations[number].key.tunnel != 0 { parts = tunnelParts(parts, link, watch: conversations[number].watch) }
        // Once a conversation, when both parts are there.
        if parts.0 != 0, parts.1 != 0 {
            graph.traffic[place].roundTrips.add(microseconds: parts.0 &+ parts.1)
            conversations[number].watch = .max - 1
        }
    }
}

extension TrafficSummary {
    mutating func add(
        forward: Conversation.Amount, backward: Conversation.Amount, from: Timestamp, to: Timestamp, epoch: UInt64
    ) {
        if self.epoch != epoch {
            if self.epoch == 0 { first = from }
            self.epoch = epoch
            (self.forward.packets, self.forward.bytes, self.backward.packets, self.backward.bytes) = (0, 0, 0, 0)
        }
        first = min(first, from)
        last = max(last, to)
        self.forward.add(forward)
        self.backward.add(backward)
    }
}

extension TrafficSummary.Side {
    mutating func add(_ amount: Conversation.Amount) {
        packets &+= UInt32(truncatingIfNeeded: amount.packets)
        bytes &+= amount.bytes
        totalPackets &+= amount.packets
        totalBytes &+= amount.bytes
        retransmitted &+= amount.retransmitted
    }
}
