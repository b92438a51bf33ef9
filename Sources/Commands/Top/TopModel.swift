import Flows
import NetworkTypes
import Reports

/// The state of the live view, and what keys and answers make of it. Knows neither a terminal nor the agent: `TopModel+Screen` draws it
/// as lines, `TopVerb` feeds it.
struct TopModel: Sendable {
    enum View: Sendable { case flows, interfaces, mirrors, classes }

    /// What is typed after `/`.
    struct Editing: Hashable, Sendable {
        var text: String
        /// To go back to with Escape.
        var before: FlowFilter
        /// Why the text is no filter; the view goes on with the latest that was one.
        var error: FlowFilterError?
    }

    /// Rates of one interface, bits per second, oldest first.
    struct History: Sendable {
        var ingress: [Double] = []
        var egress: [Double] = []
    }

    /// Longest history, in readings.
    static let historyLength = 300
    /// The measures that left and right go through.
    static let measures: [FlowMeasure] = [.rate, .bytes, .packets, .rtt, .retransmissions]

    var view = View.flows
    var isPaused = false
    var showsHelp = false
    private(set) var question = TopQuestion()
    private(set) var editing: Editing?
    private(set) var interfaces: InterfaceListReport?
    private(set) var flows: FlowListReport?
    private(set) var rules: PolicyReport?
    private(set) var history: [UInt32: History] = [:]
    /// Why there are no fresh numbers.
    private(set) var problem: String?
    private(set) var isDone = false
    /// The first row that is shown, of flows and of interfaces.
    var flowOffset = 0
    var interfaceOffset = 0
    /// Of the rules that are shown.
    var ruleOffset = 0
    /// Rows that fit on the screen, as it was last drawn.
    private(set) var page = 10

    init(filter: FlowFilter = .everything, order: FlowOrder = FlowOrder(.rate)) {
        question.filter = filter
        question.order = order
    }

    var order: FlowOrder { question.order }

    // MARK: answers

    mutating func take(_ answer: TopAnswer) {
        switch answer.outcome {
        case .failed(let why): problem = why
        case .reports(let interfaces, let flows, let rules):
            problem = nil
            if answer.isOnBeat { remember(interfaces) }
            guard !isPaused else { return }
            self.interfaces = interfaces
            if let rules { self.rules = rules }
            // An answer to an older question would jump: the one to the newer question is on its way.
            if answer.question.filter == question.filter, answer.question.order == question.order { self.flows = flows }
            flowOffset = min(flowOffset, max(0, (self.flows?.matched ?? 0) - 1))
            interfaceOffset = min(interfaceOffset, max(0, interfaces.interfaces.count - 1))
        }
    }

    /// Also while paused: a gap in a sparkline would look like silence.
    private mutating func remember(_ list: InterfaceListReport) {
        let known = Set(list.interfaces.map(\.id))
        history = history.filter { known.contains($0.key) }
        for interface in list.interfaces {
            var one = history[interface.id] ?? History()
            one.ingress = (one.ingress + [interface.ingressBitsPerSecond ?? 0]).suffix(Self.historyLength)
            one.egress = (one.egress + [interface.egressBitsPerSecond ?? 0]).suffix(Self.historyLength)
            history[interface.id] = one
        }
    }

    /// The screen has room for so many rows.
    mutating func fit(rows: Int) {
        page = max(1, rows)
        question.count = min(10_000, flowOffset + max(page, 20))
    }

    // MARK: keys

    mutating func press(_ key: TopKey) {
        if editing != nil { return edit(key) }
        if showsHelp {
            showsHelp = false
            return
        }
        switch key {
        case .character("q"), .character("Q"): isDone = true
        case .character("/"): editing = Editing(text: question.filter.description, before: question.filter)
        case .character("h"), .character("?"): showsHelp = true
        case .character("i"): show(view == .interfaces ? .flows : .interfaces)
        case .character("m"): show(view == .mirrors ? .flows : .mirrors)
        case .character("c"): show(view == .classes ? .flows : .classes)
        case .character("f"): show(.flows)
        case .character(" "): isPaused.toggle()
        case .character("R"): sort(question.order.measure, ascending: !question.order.ascending)
        case .character("r"): sort(.rate)
        case .character("b"): sort(.bytes)
        case .character("p"): sort(.packets)
        case .character("t"): sort(.rtt)
        case .character("x"): sort(.retransmissions)
        case .left, .right:
            let place = Self.measures.firstIndex(of: question.order.measure) ?? 0
            let step = key == .right ? 1 : Self.measures.count - 1
            sort(Self.measures[(place + step) % Self.measures.count])
        case .escape: if question.filter != .everything { filter(.everything) }
        case .up: scroll(-1)
        case .down: scroll(1)
        case .pageUp: scroll(-page)
        case .pageDown: scroll(page)
        case .home: scroll(-1_000_000)
        case .end: scroll(1_000_000)
        case .character, .enter, .backspace, .erase: break
        }
    }

    private mutating func show(_ view: View) {
        self.view = view
        ruleOffset = 0
        question.wantsRules = view == .mirrors || view == .classes
    }

    private mutating func sort(_ measure: FlowMeasure, ascending: Bool = false) {
        question.order = FlowOrder(measure, ascending: ascending)
        flowOffset = 0
    }

    private mutating func filter(_ filter: FlowFilter) {
        guard filter != question.filter else { return }
        question.filter = filter
        flowOffset = 0
    }

    private mutating func scroll(_ rows: Int) {
        let all =
            switch view {
            case .flows: flows?.matched ?? 0
            case .interfaces: interfaces?.interfaces.count ?? 0
            case .mirrors: (rules?.mirrors.count ?? 0) + (rules?.samplers.count ?? 0)
            case .classes: rules?.shapers.count ?? 0
            }
        let last = max(0, all - page)
        switch view {
        case .flows: flowOffset = max(0, min(last, flowOffset + rows))
        case .interfaces: interfaceOffset = max(0, min(last, interfaceOffset + rows))
        case .mirrors, .classes: ruleOffset = max(0, min(last, ruleOffset + rows))
        }
    }

    private mutating func edit(_ key: TopKey) {
        guard var editing else { return }
        switch key {
        case .enter:
            // Stays open while the text is no filter, so that its mistake can be mended.
            if editing.error == nil { self.editing = nil }
            return
        case .escape:
            filter(editing.before)
            self.editing = nil
            return
        case .backspace:
            guard !editing.text.isEmpty else {
                self.editing = nil
                return
            }
            editing.text.removeLast()
        case .erase: editing.text = ""
        case .character(let character): editing.text.append(character)
        case .up, .down, .left, .right, .pageUp, .pageDown, .home, .end: return
        }
        do throws(FlowFilterError) {
            filter(try FlowFilter(parsing: editing.text))
            editing.error = nil
        } catch {
            editing.error = error
        }
        self.editing = editing
    }
}
