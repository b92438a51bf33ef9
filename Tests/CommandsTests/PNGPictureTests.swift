import Testing

@testable import Commands

@Suite struct PNGPictureTests {
    private static func svg(_ width: Int, _ height: Int) -> String {
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\"><rect width=\"9\" height=\"9\" fill=\"red\"/></svg>"
    }

    /// Two dots for each point; a picture that would be wider than cairo draws is drawn smaller.
    @Test(arguments: [(300, 100, 600, 200), (40_000, 1000, 32_767, 819)])
    func aPictureIsDrawn(width: Int, height: Int, dots: Int, lines: Int) throws {
        let bytes = try PNGPicture(drawing: Self.svg(width, height)).bytes
        #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
        // IHDR is the first chunk: length, name, width, height (PNG specification, 11.2.2).
        func number(_ offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        #expect(number(16) == dots && number(20) == lines)
        #expect(bytes.suffix(8).starts(with: Array("IEND".utf8)))
    }

    @Test(arguments: ["", "<svg", "<html/>", "no picture"]) func whatIsNoPictureIsRefused(text: String) {
        #expect(throws: CommandFailure.self) { try PNGPicture(drawing: text) }
    }
}
