import Foundation
import NetworkTypes
import Storage
import TestSupport
import Testing
import Topology

enum StoreKind: String, CaseIterable, Sendable { case sqlite, postgres }

/// A place for one store, which can be closed and opened again.
struct StoreSite: Sendable {
    let kind: StoreKind
    /// Of the SQLite file, or libpq's.
    let target: String
    let tenant: String

    func open(_ limits: StorageLimits = StorageLimits()) throws -> any HistoryStore {
        switch kind {
        case .sqlite: try SQLiteStore(path: target, limits: limits)
        case .postgres: try PostgresStore(target, tenant: tenant, limits: limits)
        }
    }

    func reader() throws -> any HistoryReading {
        switch kind {
        case .sqlite: try SQLiteReader(path: target)
        case .postgres: try PostgresReader(target, tenant: tenant)
        }
    }
}

/// Runs a test against a store of a kind, on a thread that may block. Without a server it is a counted skip.
func withStore(_ kind: StoreKind, _ test: String = #function, _ body: @escaping @Sendable (StoreSite) throws -> Void) async throws {
    switch kind {
    case .sqlite:
        try await onOwnThread {
            let folder = TemporaryFolder()
            defer { folder.remove() }
            try body(StoreSite(kind: kind, target: folder.path + "/history.db", tenant: ""))
        }
    case .postgres:
        do {
            let server = try await PostgresServer.shared.value
            try await onOwnThread { try body(StoreSite(kind: kind, target: server.target, tenant: "test/\(UUID())")) }
        } catch let absence as PostgresServer.Absence {
            Skips.note("StorageTests/\(test)", absence.reason)
        }
    }
}

struct TemporaryFolder: Sendable {
    let path = NSTemporaryDirectory() + "nilo-storage-\(UUID())"
    init() { try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

extension StorageLimits {
    /// For models that forget nothing.
    static let ageless = StorageLimits(
        ages: Dictionary(uniqueKeysWithValues: SeriesResolution.allCases.map { ($0, .seconds(1_000_000_000)) }),
        topologyAge: .seconds(1_000_000_000))
}

/// Seconds since 1970.
func at(_ seconds: Double) -> Timestamp { Timestamp(nanoseconds: Int64(seconds * 1e9)) }

let forever = Timestamp(nanoseconds: .max)

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension StoredEpoch {
    /// Changes as `key=state`, or `key` for one that vanished.
    init(_ number: UInt64, _ seconds: Double, _ changes: String..., samples: [SeriesSample] = [], resumes: Bool = false) {
        self.init(
            number: number, time: at(seconds),
            changes: changes.map { change in
                let parts = change.split(separator: "=", maxSplits: 1)
                return EntityChange(key: String(parts[0]), state: parts.count > 1 ? bytes(String(parts[1])) : nil)
            }, samples: samples, resumes: resumes)
    }
}

extension HistoryReading {
    /// `a=1 b=2`, by key.
    func picture(_ seconds: Double) throws -> String {
        try entities(at: at(seconds)).map { "\($0.key)=\(String(decoding: $0.state, as: UTF8.self))" }.sorted().joined(separator: " ")
    }

    /// `a:1>2 b:->1`, by key.
    func differences(_ start: Double, _ end: Double) throws -> String {
        func text(_ state: [UInt8]?) -> String { state.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        return try changes(from: at(start), to: at(end)).map { "\($0.key):\(text($0.before))>\(text($0.after))" }.sorted()
            .joined(separator: " ")
    }

    /// `10 a:1>2, 20 b:->1`, in the order of the answer.
    func log(_ start: Double, _ end: Double, limit: Int = 1000) throws -> String {
        func text(_ state: [UInt8]?) -> String { state.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        return try log(from: at(start), to: at(end), limit: limit).map {
            "\($0.time.nanoseconds / 1_000_000_000) \($0.key):\(text($0.before))>\(text($0.after))"
        }.joined(separator: ", ")
    }

    /// `1@0..5 2@5..`.
    func story(_ key: String) throws -> String {
        func seconds(_ time: Timestamp) -> String { "\(Double(time.nanoseconds) / 1e9)".replacingOccurrences(of: ".0", with: "") }
        return try history(of: key).map {
            "\(String(decoding: $0.state, as: UTF8.self))@\(seconds($0.validFrom))..\($0.validTo.map(seconds) ?? "")"
        }.joined(separator: " ")
    }
}

/// What a call refuses with.
func reason(_ body: () throws -> Void) throws -> StorageError.Reason? {
    do {
        try body()
        return nil
    } catch let error as StorageError {
        return error.reason
    }
}
