import Testing

@testable import Agent

/// What can be seen beforehand of the files of a capture.
struct CaptureTargetTests {
    @Test func aNameWithoutRoomForItsNumberIsRefused() {
        let longest = String(repeating: "n", count: CaptureTarget.longestName)
        #expect(CaptureTarget.obstacle(of: "/tmp/\(longest)") == nil)
        #expect(CaptureTarget.obstacle(of: "/tmp/\(longest)n")?.reason.contains("longer than 244 bytes") == true)
    }
}
