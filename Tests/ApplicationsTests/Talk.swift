import Applications
import Dissection
import NetworkTypes
import TestSupport

/// A conversation over TCP or UDP as frames with times, made by hand.
struct Talk {
    var client = "192.0.2.10"
    var server = "192.0.2.80"
    var clientPort: UInt16 = 40000
    var serverPort: UInt16
    private(set) var frames: [(bytes: [UInt8], isFromClient: Bool)] = []
    private var sequences: (client: UInt32, server: UInt32) = (1001, 5001)

    /// TCP, with its handshake.
    init(tcp serverPort: UInt16, clientPort: UInt16 = 40000) {
        self.serverPort = serverPort
        self.clientPort = clientPort
        frames = [
            (tcp(true, [.syn], 1000, 0, []), true), (tcp(false, [.syn, .ack], 5000, 1001, []), false),
            (tcp(true, [.ack], 1001, 5001, []), true),
        ]
    }

    init(udp serverPort: UInt16, clientPort: UInt16 = 40000) {
        self.serverPort = serverPort
        self.clientPort = clientPort
    }

    private func tcp(_ isFromClient: Bool, _ flags: TCPHeader.Flags, _ sequence: UInt32, _ acknowledged: UInt32, _ bytes: [UInt8])
        -> [UInt8]
    {
        Frame(
            EthernetHeader(), IPv4Header(from: isFromClient ? client : server, to: isFromClient ? server : client),
            TCPHeader(from: isFromClient ? clientPort : serverPort, to: isFromClient ? serverPort : clientPort, flags) {
                $0.sequence = sequence
                $0.acknowledgement = acknowledged
            }, RawBytes(bytes)
        ).bytes
    }

    mutating func segment(fromClient: Bool, _ bytes: [UInt8]) {
        let (sequence, acknowledged) = fromClient ? sequences : (sequences.server, sequences.client)
        frames.append((tcp(fromClient, [.psh, .ack], sequence, acknowledged, bytes), fromClient))
        if fromClient { sequences.client += UInt32(bytes.count) } else { sequences.server += UInt32(bytes.count) }
    }

    mutating func datagram(fromClient: Bool, _ bytes: [UInt8]) {
        let frame = Frame(
            EthernetHeader(), IPv4Header(from: fromClient ? client : server, to: fromClient ? server : client),
            UDPHeader(from: fromClient ? clientPort : serverPort, to: fromClient ? serverPort : clientPort), RawBytes(bytes))
        frames.append((frame.bytes, fromClient))
    }

    // MARK: Known ones

    static func http(host: String = "www.example.org", port: UInt16 = 80, clientPort: UInt16 = 40000) -> Talk {
        var talk = Talk(tcp: port, clientPort: clientPort)
        talk.segment(
            fromClient: true, Array("GET /index.html HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n".utf8))
        talk.segment(
            fromClient: false, Array("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello".utf8))
        return talk
    }

    static func tls(_ name: String, port: UInt16 = 443, padding: Int = 4) -> Talk {
        var talk = Talk(tcp: port, clientPort: 40001)
        talk.segment(fromClient: true, clientHello(name, padding: padding))
        return talk
    }

    static func ssh(port: UInt16 = 22) -> Talk {
        var talk = Talk(tcp: port, clientPort: 40002)
        talk.segment(fromClient: false, Array("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".utf8))
        talk.segment(fromClient: true, Array("SSH-2.0-OpenSSH_9.2p1\r\n".utf8))
        return talk
    }

    static func postgreSQL(port: UInt16 = 5432) -> Talk {
        var talk = Talk(tcp: port, clientPort: 40003)
        // A request for TLS, refused; then the start in plain text, and a demand for a password.
        talk.segment(fromClient: true, [0, 0, 0, 8, 4, 210, 22, 47])
        talk.segment(fromClient: false, Array("N".utf8))
        let parameters = Array("user\0alice\0database\0shop\0\0".utf8)
        talk.segment(fromClient: true, [0, 0, 0, UInt8(8 + parameters.count), 0, 3, 0, 0] + parameters)
        talk.segment(fromClient: false, Array("R".utf8) + [0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4])
        return talk
    }

    static func dns(_ name: String = "db.example.net", address: [UInt8] = [192, 0, 2, 99]) -> Talk {
        var talk = Talk(udp: 53, clientPort: 40004)
        talk.datagram(fromClient: true, DNSMessage(flags: 0x0100, question: DNSMessage.name(name)).bytes)
        talk.datagram(
            fromClient: false,
            DNSMessage(
                question: DNSMessage.name(name), records: [DNSMessage.record(DNSMessage.pointerToQuestion, type: 1, address)]
            ).bytes)
        return talk
    }

    /// Bytes without a meaning, on ports that say nothing.
    static func noise(_ clientPort: UInt16 = 40005, packets: Int = 10) -> Talk {
        var random = SplitMix64(seed: UInt64(clientPort))
        var talk = Talk(tcp: 47123, clientPort: clientPort)
        for i in 0..<packets { talk.segment(fromClient: i % 2 == 0, random.bytes(200)) }
        return talk
    }
}

extension PacketNote {
    static func at(_ milliseconds: UInt64, interface: UInt32 = 1) -> PacketNote {
        PacketNote(time: milliseconds * 1_000_000, originalLength: 0, interface: interface)
    }
}

extension Classifier {
    /// Feeds the frames a millisecond apart.
    func feed(_ talk: Talk, snap: Int = 65535, from start: UInt64 = 1, interface: UInt32 = 1) {
        for (i, frame) in talk.frames.enumerated() {
            feed(frame.bytes.prefix(snap), .at(start + UInt64(i), interface: interface))
        }
    }

    /// The final verdicts.
    func verdicts() -> [ApplicationVerdict] {
        finishAll()
        return takeFindings().compactMap { if case .application(let verdict) = $0, verdict.isFinal { verdict } else { nil } }
    }
}
