import Foundation
import Testing

/// What `nilo topology --json` tells, as far as it is held against a lab: the one place of these tests that knows the answer's form.
struct DiscoveredMap: Decodable, Sendable {
    /// Of which moment, RFC 3339.
    var at = ""
    /// Keys of what people made.
    var nodes: Set<String> = []
    var links: Set<String> = []
    /// Interfaces and the virtual networks that they are in: `KEY in NETWORK`.
    var memberships: Set<String> = []
    /// Keys of what the kernel made by itself.
    var kernelNodes: Set<String> = []
    var attributes: [String: [String: String]] = [:]
    /// Links of communication.
    var talks: [(from: String, to: String, attributes: [String: String])] = []

    private struct Answer: Decodable {
        struct Thing: Decodable {
            var key: String
            var kind: String
            var networks: [String]?
            var kernelMade: Bool?
            var attributes: [String: Value]
        }
        struct Link: Decodable {
            var key: String
            var kind: String
            var from: String
            var to: String
            var kernelMade: Bool?
            var attributes: [String: Value]
        }
        var at: String
        var entities: [Thing]
        var links: [Link]
    }

    /// Text, a number, a truth value or a list, as text.
    private struct Value: Decodable {
        var text: String
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else if let list = try? container.decode([String].self) {
                text = list.joined(separator: ", ")
            } else if let isTrue = try? container.decode(Bool.self) {
                text = "\(isTrue)"
            } else {
                text = "\(try container.decode(Double.self))"
            }
        }
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let answer = try Answer(from: decoder)
        at = answer.at
        for thing in answer.entities {
            attributes[thing.key] = thing.attributes.mapValues(\.text)
            guard thing.kernelMade != true else {
                kernelNodes.insert(thing.key)
                continue
            }
            nodes.insert(thing.key)
            guard thing.kind == "interface" else { continue }
            for network in thing.networks ?? [] { memberships.insert("\(thing.key) in \(network)") }
        }
        for link in answer.links where link.kernelMade != true {
            if link.kind == "member" { memberships.insert("\(link.from) in \(link.to)") } else { links.insert(link.key) }
            if link.kind == "talk" { talks.append((link.from, link.to, link.attributes.mapValues(\.text))) }
        }
    }

    /// What is in one and not in the other; empty when they are equal.
    func differences(from expected: DiscoveredMap) -> [String] {
        func compare(_ what: String, _ wanted: Set<String>, _ found: Set<String>) -> [String] {
            let (missing, extra) = (wanted.subtracting(found).sorted(), found.subtracting(wanted).sorted())
            return missing.map { "\(what) missing: \($0)" } + extra.map { "\(what) extra: \($0)" }
        }
        return compare("node", expected.nodes, nodes) + compare("link", expected.links, links)
            + compare("membership", expected.memberships, memberships)
    }
}
