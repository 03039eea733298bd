import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFTensor
import SSDFTraining

/// Compares a device's results with the processor's.
struct TrainDeviceCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device-check", abstract: "Compare a device's operations with the processor's.",
        discussion: """
            Prints the relative error of every operation that training uses. The exit status is 1 when one is beyond its \
            limit.
            """, shouldDisplay: false)

    @Option(help: ArgumentHelp("The plug-in that runs the device.", valueName: "library"), completion: .file())
    var device: String

    @Option(help: ArgumentHelp("Check operations alone whose names hold this.", valueName: "text"))
    var only: String?

    @Flag(help: "Time operations of training's sizes instead.")
    var time = false

    @Option(help: ArgumentHelp("Samples of the dense stage's batch, with --time.", valueName: "samples"))
    var batch = 128

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try common.session(tool: Train.toolName)
        let plugin = try DevicePlugin(path: device)
        try printOutput("\(plugin.name), \(byteText(plugin.memory)) free")
        if time {
            let benchmark = DeviceBenchmark(plugin, threads: session.threads)
            if batch >= 64 { try benchmark.run { line in try printOutput(line) } }
            try benchmark.networks(batch: batch, latents: max(1, batch / 4)) { line in try printOutput(line) }
            return
        }
        var failures = 0
        let check = DeviceCheck(plugin, threads: session.threads, filter: only) { name in
            // The device may end the process in the middle of an operation: then its name is the last line.
            try? printOutput(name)
        } reports: { finding in
            if !finding.passed { failures += 1 }
            try? printOutput(
                "    \(finding.passed ? "ok  " : "FAIL")  \(scientific(finding.error)) of \(scientific(finding.limit)), \(finding.worst)"
            )
        }
        try check.run()
        try printOutput(failures == 0 ? "all agree" : "\(failures) do not agree")
        if failures > 0 { throw ExitCode(1) }
    }

    private func scientific(_ value: Double) -> String {
        guard value.isFinite else { return "not finite" }
        guard value > 0 else { return "0" }
        var (mantissa, exponent) = (value, 0)
        while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        return "\(Double(Int(mantissa * 10)) / 10)e\(exponent)"
    }
}
