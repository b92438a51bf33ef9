import API
import CPage

/// The files of the page, each by the path that it is asked for with. No part of a request ever becomes part of a file's name.
enum PageFiles {
    /// nil: it is none of the page's.
    static func answer(_ request: ControlRequest) -> ControlResponse? {
        let path = request.path == "/" ? "/page/index.html" : request.path
        guard path.hasPrefix("/page/") || path.hasPrefix("/lib/") else { return nil }
        guard ["GET", "HEAD"].contains(request.method) else {
            return .notAllowed("\(path) is asked for with GET", allowed: ["GET", "HEAD"])
        }
        if let own = own[path] { return response(own.bytes, type: own.type) }
        guard let library = libraries[path] else { return .failure(404, "no \(path)", hint: "the page is at /") }
        guard let bytes = try? SystemFiles.bytes(library, most: 1 << 20) else {
            return .failure(404, "\(library) is not installed", hint: "apt-get install node-d3-force; the page does without it")
        }
        return response(bytes, type: "text/javascript; charset=utf-8")
    }

    private static func response(_ bytes: [UInt8], type: String) -> ControlResponse {
        var response = ControlResponse(contentType: type, body: bytes)
        response.headers = headers
        return response
    }

    /// Nothing from elsewhere, nothing inline, in nobody's frame (CSP level 3).
    private static let headers = [
        (
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"),
    ]

    private struct File: Sendable {
        var type: String
        var bytes: [UInt8]
    }

    /// What is built into the program.
    private static let own: [String: File] = {
        var files: [String: File] = [:]
        while let file = page_file_at(files.count)?.pointee {
            files["/page/" + String(cString: file.name)] = File(
                type: String(cString: file.type), bytes: Array(UnsafeBufferPointer(start: file.bytes, count: file.size)))
        }
        return files
    }()

    /// Of Debian's node-d3-force and what it needs.
    private static let libraries = Dictionary(
        uniqueKeysWithValues: ["d3-force", "d3-collection", "d3-dispatch", "d3-quadtree", "d3-timer"].map {
            ("/lib/\($0).js", "/usr/share/nodejs/\($0)/dist/\($0).min.js")
        })
}
