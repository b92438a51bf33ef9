import NetworkTypes

// Letting go, and what the verdicts change.

extension TrafficBook {
    /// The conversation is no longer one of its link's flows.
    /// - Parameter removingLink: the link goes with its last flow, for what it says is not so any more; else it stays until it is idle.
    mutating func release(_ number: UInt32, graph: inout Graph, removingLink: Bool) {
        guard isPlaced(number, graph) else { return }
        let conversation = conversations[number]
        let id = LinkID(rawValue: conversation.link)
        let record = graph.links[Int(id.rawValue)]
        if conversation.placement != .unanswered { graph.traffic[Int(record.traffic)].flows -= 1 }
        conversations[number].link = .max
        let summary = graph.traffic[Int(record.traffic)]
        if removingLink, summary.flows == 0, summary.unanswered == 0, record.kind == .talks { removeTalk(id, graph: &graph) }
    }

    mutating func forget(_ number: UInt32, graph: inout Graph, removingLink: Bool) {
        release(number, graph: &graph, removingLink: removingLink)
        conversations.remove(number)
    }

    private mutating func removeTalk(_ id: LinkID, graph: inout Graph) {
        let record = graph.links[Int(id.rawValue)]
        talks -= 1
        let transport = UInt8(truncatingIfNeeded: record.qualifier >> 48)
        let port = UInt16(truncatingIfNeeded: record.qualifier >> 32)
        let key = ServerKey(node: record.b, transport: transport, port: port)
        if let count = servers[key] {
            servers[key] = count > 1 ? count - 1 : nil
            if count == 1, case .endpoint(let network, _) = graph.nodes[Int(record.b)].key,
                let service = graph.node(.service(network, IPProtocol(rawValue: transport), port)),
                let link = graph.link(.serves, NodeID(rawValue: record.b), service, 0)
            {
                graph.removeLink(link)
            }
        }
        graph.removeLink(id)
    }

    /// A part of what there is, in turn (all of it within 32 seconds): what has been silent for too long goes.
    /// - Parameter isClaimed: whether a tunnel is there without traffic too.
    mutating func expire(graph: inout Graph, isClaimed: (LinkKey) -> Bool) {
        let (oldFlow, oldLink) = (clock.epoch(secondsAgo: limits.conversationIdleEpochs), clock.epoch(secondsAgo: limits.idleEpochs))
        for number in conversations.share() where conversations[number].seen < oldFlow {
            forget(number, graph: &graph, removingLink: false)
        }
        let count = graph.links.count
        for _ in 0..<min(count, max(1024, count / 32)) {
            linkHand = linkHand + 1 < count ? linkHand + 1 : 0
            let record = graph.links[linkHand]
            guard !record.isFree, record.kind.isTraffic else { continue }
            let summary = graph.traffic[Int(record.traffic)]
            guard summary.epoch < oldLink else { continue }
            let id = LinkID(rawValue: UInt32(linkHand))
            if record.kind == .talks {
                removeTalk(id, graph: &graph)
            } else if !isClaimed(graph.key(of: id)) {
                graph.removeLink(id)
            }
        }
        folds.sweep(graph)
    }

    /// What a look at the packets said: the flow's counts go to the link of that application from now on, and the link that it leaves goes
    /// when this was its only flow.
    /// - Returns: the server's endpoint, if it is known.
    mutating func apply(_ verdict: FlowVerdict, epoch: UInt64, graph: inout Graph) -> (NetworkKey, IPAddress)? {
        guard let number = find(verdict.key) else {
            counters.lostVerdicts += 1
            return nil
        }
        let application = application(KeyText.kept(verdict.application))
        if conversations[number].application != application {
            conversations[number].application = application
            if conversations[number].placement != .unanswered, isPlaced(number, graph) { move(number, epoch, &graph) }
        }
        guard let server = conversations[number].server else { return nil }
        let party = conversations[number].key[server]
        return (network(party.network), party.address)
    }

    /// From its link to that of its application, with the counts if they are all its own.
    private mutating func move(_ number: UInt32, _ epoch: UInt64, _ graph: inout Graph) {
        let old = LinkID(rawValue: conversations[number].link)
        let counts = graph.traffic[Int(graph.links[Int(old.rawValue)].traffic)]
        let before = talks
        release(number, graph: &graph, removingLink: true)
        let isGone = talks < before
        place(number, isAnswered: true, 0, epoch, &graph)
        guard isGone else { return }
        if counts.epoch == epoch { active.append(LinkID(rawValue: conversations[number].link)) }
        graph.traffic[Int(graph.links[Int(conversations[number].link)].traffic)].absorb(counts)
    }
}

extension TrafficSummary {
    /// Takes over the counts of a link that has gone, not its flows.
    mutating func absorb(_ other: TrafficSummary) {
        first = epoch == 0 ? other.first : min(first, other.first)
        last = max(last, other.last)
        if epoch < other.epoch {
            (forward.packets, forward.bytes, backward.packets, backward.bytes) = (0, 0, 0, 0)
            epoch = other.epoch
        }
        if epoch == other.epoch {
            forward.packets &+= other.forward.packets
            forward.bytes &+= other.forward.bytes
            backward.packets &+= other.backward.packets
            backward.bytes &+= other.backward.bytes
        }
        for side in [\TrafficSummary.forward, \TrafficSummary.backward] {
            self[keyPath: side].totalPackets &+= other[keyPath: side].totalPackets
            self[keyPath: side].totalBytes &+= other[keyPath: side].totalBytes
            self[keyPath: side].retransmitted &+= other[keyPath: side].retransmitted
        }
        if roundTrips.count == 0 { roundTrips = other.roundTrips }
    }
}
