/// What went wrong, in the words a person needs: which file, where in it, what was found, what was expected.
///
/// One type serves the whole engine, so that a failure keeps its meaning from the reader that met it to the exit code
/// the shell sees. The tools print it as `ssdf-extract: cup.ssdf: grid "sdf": voxel size is 0, expected > 0`.
package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The cause, as sysexits(3) divides causes.
    package enum Cause: Int32, Sendable {
        /// A check that was asked for did not hold.
        case checkFailed = 1
        /// The command line is wrong.
        case usage = 64
        /// An input does not hold what it should.
        case badData = 65
        /// An input does not exist or cannot be opened.
        case noInput = 66
        /// A model or another resource is missing, or there is not enough memory.
        case unavailable = 69
        /// The program itself is wrong.
        case `internal` = 70
        /// An output cannot be created.
        case cannotCreate = 73
        /// Reading or writing failed midway.
        case inputOutput = 74
    }

    /// Why, as the exit code tells it.
    package var cause: Cause
    /// The file, as the person named it; empty when the failure has none or the caller is to fill it in.
    package var file: String
    /// Where in the file: "line 12", "byte 4096", "chunk GRID"; may be empty.
    package var place: String
    /// What was found or what happened, with what was expected.
    package var message: String

    /// A failure in words; `inFile` and callers add the file where it is not known yet.
    package init(_ cause: Cause, file: String = "", place: String = "", _ message: String) {
        self.cause = cause
        self.file = file
        self.place = place
        self.message = message
    }

    /// Bad data: `found`, and what was `expected` instead.
    package static func badData(
        file: String = "", place: String = "", _ found: String, expected: String
    ) -> Self {
        Self(.badData, file: file, place: place, "\(found), expected \(expected)")
    }

    /// The same failure with the file's name filled in where there was none.
    package func inFile(_ name: String) -> Self {
        var copy = self
        if copy.file.isEmpty { copy.file = name }
        return copy
    }

    /// One line without control characters: a hostile file must not drive the terminal.
    package var description: String {
        printable([file, place, message].filter { !$0.isEmpty }.joined(separator: ": "))
    }
}
