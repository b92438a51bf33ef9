import Dissection
import TestSupport
import Testing

@Suite struct TLSClientHelloTests {
    @Test func theNameIsFound() {
        #expect(TLSClientHello.serverName(clientHello("Mail.Example.org")[...]) == "mail.example.org")
        #expect(TLSClientHello.serverName(clientHello("a.example", session: 0, padding: 900)[...]) == "a.example")
        let long = String(repeating: "a", count: 253)
        #expect(TLSClientHello.serverName(clientHello(long)[...]) == long)
    }

    @Test func namesThatAreNone() {
        for name in ["", String(repeating: "a", count: 254), "exa mple.org", "example\u{1B}[2J", "exämple.org"] {
            #expect(TLSClientHello.serverName(clientHello(name)[...]) == nil, "\(name)")
        }
    }

    /// It is there as soon as its last byte is.
    @Test func cutOff() {
        let hello = clientHello("mail.example.org")
        for end in hello.indices {
            #expect((TLSClientHello.serverName(hello[..<end]) == "mail.example.org") == (end >= hello.count - 4), "\(end)")
        }
    }

    @Test func anythingCanBeSent() {
        var found = 0
        HostileBytes.feed(clientHello("mail.example.org")) { bytes in
            guard let name = TLSClientHello.serverName(bytes) else { return }
            found += 1
            #expect(name.utf8.count <= 253 && name.utf8.allSatisfy { (0x21...0x7E).contains($0) })
        }
        #expect(found > 100)
    }
}
