import SSDFCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Shows progress on standard error: a bar with the time left, or JSON lines. Calls may come from any thread.
final class ProgressReporter: Sendable {
    private struct State {
        var stage = ""
        var start = ContinuousClock.now
        var last: ContinuousClock.Instant?
        var isShown = false
    }

    private enum Form { case none, bar, json }

    private let form: Form
    private let state = Mutex(State())
    /// Redrawing more often than this only costs time.
    private static var interval: Duration { .milliseconds(100) }

    init(style: ProgressStyle) {
        switch style {
        case .none: form = .none
        case .json: form = .json
        case .bar: form = .bar
        case .auto:
            let terminal = getenv("TERM").map { String(cString: $0) } ?? ""
            form = isatty(2) != 0 && terminal != "dumb" ? .bar : .none
        }
    }

    /// Starts a stage; its time left counts from here.
    func begin(_ stage: String) {
        guard form != .none else { return }
        state.withLock {
            $0.stage = stage
            $0.start = .now
            $0.last = nil
        }
    }

    func update(done: Int, total: Int) {
        guard form != .none, total > 0 else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            let isLast = done >= total
            // The first report waits too, so that quick work draws nothing.
            if !isLast, now - (state.last ?? state.start) < Self.interval { return }
            if isLast, form == .bar, !state.isShown { return }
            state.last = now
            draw(&state, done: min(done, total), total: total, elapsed: now - state.start)
        }
    }

    /// Takes the bar off the terminal.
    func finish() {
        guard form == .bar else { return }
        state.withLock { state in
            guard state.isShown else { return }
            state.isShown = false
            setBarShown(false)
            put("\r\u{1b}[K")
        }
    }

    private func draw(_ state: inout State, done: Int, total: Int, elapsed: Duration) {
        let share = Double(done) / Double(total)
        if form == .json {
            put(
                "{\"stage\":\"\(state.stage)\",\"done\":\(done),\"total\":\(total),\"seconds\":\(seconds(elapsed))}\n")
            return
        }
        let width = 32
        let full = Int(share * Double(width))
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
        let percent = Int(share * 100)
        let padding = String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0)
        put("\r\(state.stage) \(bar) \(padding)\(percent)%\(timeLeft(share: share, elapsed: elapsed))\u{1b}[K")
        state.isShown = true
        setBarShown(true)
    }

    private func timeLeft(share: Double, elapsed: Duration) -> String {
        guard share > 0.01, share < 1 else { return "" }
        let spent = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
        let left = Int((spent * (1 - share) / share).rounded(.up))
        return left < 60 ? ", \(left) s left" : ", \(left / 60) min \(left % 60) s left"
    }

    private func put(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }
}
