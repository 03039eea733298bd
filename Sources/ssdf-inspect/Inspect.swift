import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFVolume

@main
struct Inspect: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-inspect", abstract: "Tell what is in volumes and meshes, check them, picture them.",
        version: ssdfVersion)

    static var libraries: [String] { ["libpng \(pngVersion)", "zstd \(zstdVersion)"] }

    @Argument(
        help: ArgumentHelp(".ssdf or mesh files; - is standard input.", valueName: "file"), completion: .file())
    var files: [String]

    @Flag(help: "Print one JSON object a file.")
    var json = false

    @Flag(help: "Check every checksum and rule of the format; exit 1 when one does not hold.")
    var check = false

    @Flag(help: "As --check, and expect closed, manifold, consistently oriented meshes and plausible distances.")
    var strict = false

    @OptionGroup var pictures: PictureOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if pictures.png != nil, files.count > 1 {
            throw ValidationError("--slice pictures one file, not \(files.count)")
        }
        if files.filter({ $0 == "-" }).count > 1 { throw ValidationError("standard input can be read once") }
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        if files.count == 1 { try checkInput(files[0]) }
        var outputs = try pictures.open()
        var worst: Failure.Cause?
        for path in files {
            do {
                try checkInput(path)
                let subject = try Inspection(path: path, checks: check || strict, threads: session.threads)
                let side = pictures.render == nil ? 0 : pictures.cell(of: files.count)
                try session.foresee("inspecting", subject.memory(pixels: side * side), file: path)
                if check || strict || !pictures.isWanted {
                    let holds = try tell(subject, session: session)
                    if !holds { worst = worst ?? .checkFailed }
                }
                guard !subject.isBroken else { continue }
                try outputs.draw(subject, options: pictures, files: files.count, session: session)
            } catch let failure as Failure {
                printError(failure, tool: Self.toolName)
                // A file that cannot be read fails its check; one that is not there was not checked.
                let fails = (check || strict) && failure.cause == .badData
                worst = worst ?? (fails ? .checkFailed : failure.cause)
            }
        }
        if let worst { throw ExitCode(worst.rawValue) }
        try outputs.finish(options: pictures)
        session.notePeak()
    }

    /// Prints the findings. Returns whether there is nothing to complain about.
    private func tell(_ subject: borrowing Inspection, session: Session) throws -> Bool {
        let findings = try subject.findings(isStrict: strict, threads: session.threads)
        if json { try printOutput("\(findings.json)") } else if !session.isQuiet { try printOutput(findings.text) }
        for complaint in findings.complaints {
            printError(Failure(.checkFailed, file: subject.name, complaint), tool: Self.toolName)
        }
        return findings.complaints.isEmpty
    }
}
