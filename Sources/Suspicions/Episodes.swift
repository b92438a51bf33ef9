import NetworkTypes

/// Makes suspicions with a beginning and an end of what was found second by second.
struct Episodes {
    private struct Key: Hashable {
        var kind: Suspicion.Kind
        var subject: Suspicion.Subject
    }
    private struct Episode {
        var suspicion: Suspicion
        var told: Timestamp
    }

    /// Of a kind at one time; more than anybody can look at.
    static let most = 256
    /// One that goes on is told anew after so long.
    private static let retelling = Duration.seconds(10)

    private var going: [Key: Episode] = [:]
    private var counts: [Suspicion.Kind: Int] = [:]
    private var nextID: UInt64 = 1
    /// Findings that there was no room for.
    private(set) var passedOver: UInt64 = 0

    /// After so long without a finding it has ended.
    static func patience(_ kind: Suspicion.Kind) -> Duration {
        switch kind {
        case .portScan, .addressScan: .seconds(30)
        case .synFlood, .heavyHitter, .cardinalityJump: .seconds(10)
        }
    }

    func isGoing(_ kind: Suspicion.Kind) -> Bool { counts[kind, default: 0] > 0 }
    func isGoing(_ kind: Suspicion.Kind, _ subject: Suspicion.Subject) -> Bool { going[Key(kind: kind, subject: subject)] != nil }

    /// - Returns: what has begun, what goes on and is due, what has ended.
    mutating func turn(_ findings: [Finding], now: Timestamp) -> [Suspicion] {
        var changes: [Suspicion] = []
        for finding in findings {
            let key = Key(kind: finding.kind, subject: finding.subject)
            if var episode = going[key] {
                episode.suspicion.phase = .updated
                episode.suspicion.last = now
                episode.suspicion.evidence = finding.evidence
                episode.suspicion.contributors = finding.contributors
                if now - episode.told >= Self.retelling {
                    episode.told = now
                    changes.append(episode.suspicion)
                }
                going[key] = episode
                continue
            }
            guard counts[finding.kind, default: 0] < Self.most else {
                passedOver &+= 1
                continue
            }
            let suspicion = Suspicion(
                id: nextID, kind: finding.kind, phase: .began, subject: finding.subject, point: finding.point,
                start: finding.start ?? now, last: now, evidence: finding.evidence, contributors: finding.contributors)
            nextID += 1
            counts[finding.kind, default: 0] += 1
            going[key] = Episode(suspicion: suspicion, told: now)
            changes.append(suspicion)
        }
        changes += end(now)
        return changes
    }

    private mutating func end(_ now: Timestamp) -> [Suspicion] {
        var ended: [Suspicion] = []
        for (key, episode) in going where now - episode.suspicion.last >= Self.patience(key.kind) {
            var suspicion = episode.suspicion
            suspicion.phase = .ended
            ended.append(suspicion)
            going[key] = nil
            counts[key.kind, default: 0] -= 1
        }
        return ended.sorted { $0.id < $1.id }
    }

    /// Those that go on, oldest first.
    var current: [Suspicion] { going.values.map(\.suspicion).sorted { $0.id < $1.id } }
}
