import CSSDFKernels

/// Makes signals end this process without leaving temporaries behind, and a file that shrinks while it is read an
/// error with a name. `tool` starts the messages.
package func watchSignals(tool: String) { ssdf_watch_signals(tool) }

/// A file that a signal removes, unless it is renamed or removed first; or a folder, when nothing is left in it or its name
/// ends in ".partial".
package struct Temporary: ~Copyable {
    private let slot: Int32

    /// Remembers `path`, which need not exist yet; remembering it before it is created leaves no gap for a signal.
    package init(path: String) { slot = ssdf_remember_temporary(path) }

    deinit { ssdf_forget_temporary(slot) }
}

/// Files, and folders when nothing is left in them, that a signal removes while this value lives.
package final class Temporaries: Sendable {
    private let slots: [Int32]

    /// Remembers paths, which need not exist yet: a folder, then what is in it.
    package init(paths: [String]) { slots = paths.map { ssdf_remember_temporary($0) } }

    deinit { for slot in slots { ssdf_forget_temporary(slot) } }
}

/// Tells the signal handlers whether a progress bar stands on the terminal.
package func setBarShown(_ shown: Bool) { ssdf_bar_shown(shown ? 1 : 0) }

/// The instruction set that the kernels use: "scalar", "avx2" or "avx512".
package var instructionSet: String { String(cString: ssdf_isa_name()) }
