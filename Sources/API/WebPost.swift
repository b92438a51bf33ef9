import CCurl

/// Posts JSON to a URL (libcurl).
public enum WebPost {
    /// Seconds.
    private static let patience = 10

    /// Waits for the answer, at most ten seconds; what it says besides its status is not looked at.
    ///
    /// - Returns: why it was not taken; nil when it was (a status of 200 to 299).
    public static func send(_ body: [UInt8], to url: String) -> String? {
        guard globalInit == CURLE_OK, let handle = curl_easy_init() else { return "libcurl does not start" }
        defer { curl_easy_cleanup(handle) }
        let headers = curl_slist_append(nil, "Content-Type: application/json")
        defer { curl_slist_free_all(headers) }
        var codes = [
            curl_setopt_string(handle, CURLOPT_URL, url), curl_setopt_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
            curl_setopt_long(handle, CURLOPT_NOSIGNAL, 1), curl_setopt_long(handle, CURLOPT_TIMEOUT, patience),
            curl_setopt_long(handle, CURLOPT_FOLLOWLOCATION, 0), curl_setopt_long(handle, CURLOPT_POST, 1),
            curl_setopt_long(handle, CURLOPT_POSTFIELDSIZE, body.count),
            curl_setopt_pointer(handle, CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(headers)),
            curl_setopt_write(handle) { _, size, count, _ in size * count },
        ]
        // curl_easy_perform reads the body in place: it is over when this returns.
        let result = body.withUnsafeBufferPointer { bytes in
            codes.append(curl_setopt_pointer(handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress)))
            return codes.first { $0 != CURLE_OK } ?? curl_easy_perform(handle)
        }
        guard result == CURLE_OK else { return String(cString: curl_easy_strerror(result)) }
        var status = 0
        curl_getinfo_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return (200..<300).contains(status) ? nil : "it answers with status \(status)"
    }
}
