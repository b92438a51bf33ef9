import Dissection
import NetworkTypes
import TestSupport
import Testing

@Suite struct LLDPNeighbourTests {
    private static let mandatory =
        lldpElement(1, [4, 0x52, 0x54, 0, 0x12, 0x34, 0x56]) + lldpElement(2, [5] + Array("Gi1/0/7".utf8))
        + lldpElement(3, [0, 120])
    private static let whole =
        mandatory + lldpElement(4, Array("uplink".utf8)) + lldpElement(5, Array("switch-1.example".utf8))
        + lldpElement(6, Array("A switch\n".utf8))
        + lldpElement(8, [5, 1, 192, 0, 2, 1, 2, 0, 0, 0, 1, 0]) + lldpElement(127, [0, 0x12, 0x0F, 1]) + lldpElement(0, [])

    @Test func everythingThatIsSaid() throws {
        let neighbour = try #require(LLDPNeighbour(Self.whole[...]))
        #expect(
            neighbour
                == LLDPNeighbour(
                    chassis: .mac(MACAddress(rawValue: 0x5254_0012_3456)), port: .interface("Gi1/0/7"), timeToLive: 120,
                    portDescription: "uplink", systemName: "switch-1.example", systemDescription: "A switch?",
                    managementAddress: .v4(0xC000_0201)))
    }

    @Test func otherIdentifiers() throws {
        let address = lldpElement(1, [5, 2] + [UInt8](repeating: 0, count: 15) + [1])
        let neighbour = try #require(
            LLDPNeighbour((address + lldpElement(2, [3, 2, 0, 0, 0, 0, 1]) + lldpElement(3, [0, 0]))[...]))
        #expect(neighbour.chassis == .address(.v6(high: 0, low: 1)) && neighbour.port.text == "02:00:00:00:00:01")
        #expect(neighbour.timeToLive == 0)
        let unprintable = lldpElement(1, [7, 0x1B, 0x63]) + lldpElement(2, [7, 0x31]) + lldpElement(3, [0, 1])
        let local = try #require(LLDPNeighbour(unprintable[...]))
        #expect(local.chassis == .text("?c") && local.port == .text("1"))
    }

    @Test func whatIsMandatoryHasToBeThere() {
        let parts = [lldpElement(1, [7, 0x31]), lldpElement(2, [7, 0x31]), lldpElement(3, [0, 1])]
        #expect(LLDPNeighbour((parts[0] + parts[1] + parts[2])[...]) != nil)
        for wrong in [
            [parts[1], parts[0], parts[2]], [parts[0], parts[2]], [parts[0], parts[1]], [lldpElement(1, [7]), parts[1], parts[2]],
            [lldpElement(1, [4, 1, 2, 3]), parts[1], parts[2]], [lldpElement(1, [5, 1, 1]), parts[1], parts[2]],
            [parts[0], parts[1], lldpElement(3, [1])],
        ] { #expect(LLDPNeighbour(wrong.reduce([], +)[...]) == nil, "\(wrong)") }
    }

    @Test func anythingCanBeSent() {
        var understood = 0
        HostileBytes.feed(Self.whole) { bytes in
            guard let neighbour = LLDPNeighbour(bytes) else { return }
            understood += 1
            for text in [neighbour.chassis.text, neighbour.port.text, neighbour.systemName, neighbour.systemDescription].compactMap({ $0 })
            {
                #expect(PlainText.isPlain(text) && !text.utf8.contains { $0 < 0x20 })
            }
        }
        #expect(understood > 500)
        for end in Self.whole.indices { #expect((LLDPNeighbour(Self.whole[..<end]) != nil) == (end >= Self.mandatory.count)) }
    }
}
