import Foundation
import NetworkTypes
import Storage
import TestSupport
import Testing

/// What is PostgreSQL's alone.
@Suite struct PostgresTests {
    @Test func tenantsDoNotMeet() async throws {
        try await withStore(.postgres) { site in
            let store = try site.open()
            let other = try PostgresStore(site.target, tenant: site.tenant + "/other")
            try store.append(StoredEpoch(1, 1, "a=1", samples: [SeriesSample(key: "s", value: .counter(1))]))
            try other.append(StoredEpoch(7, 2, "a=2", "b=2", samples: [SeriesSample(key: "s", value: .gauge(2))]))
            #expect(try store.picture(9) == "a=1" && other.picture(9) == "a=2 b=2" && store.lastEpoch()?.number == 1)
            #expect(try store.series() == [SeriesName(key: "s", kind: .counter)])
            #expect(try other.points(of: "s", from: at(0), to: forever, resolution: .hour).map(\.sum) == [.gauge(2)])
        }
    }

    @Test func withoutAServerItSaysSo() async throws {
        try await onOwnThread {
            do throws(StorageError) {
                _ = try PostgresStore("host=/nonexistent dbname=x connect_timeout=2", tenant: "t")
                Issue.record("it connected")
            } catch { #expect(error.reason == .unreachable && error.mayPass && error.hint != nil) }
        }
    }

    /// The server ends the connection in the middle of the writer's life: typed, and a new store goes on.
    @Test func aBrokenConnectionIsToldAndPasses() async throws {
        try await withStore(.postgres) { site in
            let store = try PostgresStore(site.target + " application_name=victim", tenant: site.tenant)
            try store.append(StoredEpoch(1, 1, "a=1"))
            let folder = try #require(site.target.split(separator: " ").first?.split(separator: "=").last)
            try sh(
                "psql -h \(folder) -U nilo -d postgres -Atc \"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'\""
            )
            do throws(StorageError) {
                try store.append(StoredEpoch(2, 2, "a=2"))
                Issue.record("it went on")
            } catch { #expect(error.reason == .unreachable && error.mayPass, "\(error)") }
            let again = try site.open()
            try again.append(StoredEpoch(3, 3, "a=3", resumes: true))
            #expect(try again.story("a") == "1@1..3 3@3..")
        }
    }

    /// In a schema of its own, for the tables are the others' too: what a later release made is refused, what nobody made is missing.
    @Test func anotherSchemaIsRefused() async throws {
        try await withStore(.postgres) { site in
            let folder = try #require(site.target.split(separator: " ").first?.split(separator: "=").last)
            func psql(_ sql: String) throws -> String { try sh("psql -h \(folder) -U nilo -d postgres -Atqc '\(sql)'") }
            _ = try psql("CREATE SCHEMA later")
            let target = site.target + " options='-c search_path=later'"
            #expect(try reason { _ = try PostgresReader(target, tenant: site.tenant) } == .missing)
            try PostgresStore(target, tenant: site.tenant).append(StoredEpoch(1, 1, "a=1"))
            #expect(try PostgresReader(target, tenant: site.tenant).picture(1) == "a=1")
            _ = try psql("INSERT INTO later.nilo_schema VALUES (99)")
            #expect(try reason { _ = try PostgresStore(target, tenant: site.tenant) } == .newerSchema(found: 99, known: 1))
            #expect(try reason { _ = try PostgresReader(target, tenant: site.tenant) } == .newerSchema(found: 99, known: 1))
        }
    }

    /// The tests' own server is nobody else's business.
    @Test func theServerListensOnItsSocketAlone() async throws {
        try await withStore(.postgres) { site in
            let folder = try #require(site.target.split(separator: " ").first?.split(separator: "=").last)
            #expect(try sh("psql -h \(folder) -U nilo -d postgres -Atc 'show listen_addresses'") == "\n")
        }
    }
}
