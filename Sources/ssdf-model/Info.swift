import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural

struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Tell what is in a model: components, sizes, what is missing, licences, hash.")

    @Argument(
        help: ArgumentHelp("The model: a folder, or a name to look up.", valueName: "model"), completion: .directory)
    var model: String

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Read every file, compare the checksums, and exit 1 when one differs or tensors do not fit.")
    var verify = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try common.session(tool: Model.toolName)
        let directory = try ModelSearch.standard.open(model)
        let inspection = try session.stage("read") {
            try ModelInspection(directory, verify: verify)
        }
        if json { try printOutput("\(inspection.json)") } else { try printOutput(inspection.report.text) }
        for complaint in inspection.complaints {
            printError(Failure(.checkFailed, file: directory.path, complaint), tool: Model.toolName)
        }
        if verify, !inspection.complaints.isEmpty { throw ExitCode(Failure.Cause.checkFailed.rawValue) }
    }
}
