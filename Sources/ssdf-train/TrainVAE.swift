import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Trains the sparse SDF auto-encoder.
struct TrainVAE: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vae", abstract: "Train the sparse auto-encoder of signed distances.",
        discussion: """
            The model folder gets config.yaml, the averaged weights, SHA256SUMS, and a folder training with a log of
            every step and the checkpoint that --resume goes on from, to the same bytes.
            """)

    @Option(help: ArgumentHelp("The model's parts and how to train them.", valueName: "yaml"), completion: .file())
    var config: String

    @Option(help: ArgumentHelp("What to train on: procedural.", valueName: "source"))
    var data = "procedural"

    @Option(
        name: [.short, .long], help: ArgumentHelp("The model folder.", valueName: "folder"), completion: .directory)
    var output: String

    @Flag(help: "Go on from the checkpoint in the model folder.")
    var resume = false

    @Flag(name: .customLong("dry-run"), help: "Check everything, say what training takes, and train nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Steps between checkpoints.", valueName: "steps"))
    var checkpoint = 200

    @Option(
        name: .customLong("stop-after"),
        help: ArgumentHelp("Write a checkpoint and end after so many minutes.", valueName: "minutes"))
    var stopAfter: Double?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if data != "procedural" { throw ValidationError("--data is \(data), expected procedural") }
        if checkpoint < 1 { throw ValidationError("--checkpoint is \(checkpoint), expected at least 1") }
        if let stopAfter, !(stopAfter > 0) {
            throw ValidationError("--stop-after is \(stopAfter), expected minutes > 0")
        }
    }

    func run() throws {
        let session = try common.session(tool: Train.toolName)
        try checkInput(config)
        let text = try FileBytes(path: config).withBytes { bytes throws(Failure) in
            String(decoding: bytes, as: UTF8.self)
        }
        let file = try session.stage("read", file: config) { try TrainingFile(yaml: text) }
        let fingerprint = try FileBytes(path: config).withBytes { bytes throws(Failure) in contentHash(bytes) }
        let trainer = try AutoencoderTrainer(
            file.vae, model: file.vaeModel, fingerprint: fingerprint, threads: session.threads)
        let needed = trainer.estimatedBytes(threads: session.threads)
        let there = availableMemory()
        guard needed < min(there, common.maxMemory?.bytes ?? .max) else {
            throw Failure(
                .unavailable, file: config,
                "training needs about \(byteText(needed)) and there are \(byteText(there)); try a smaller batch or crop"
            )
        }
        session.note(
            "\(grouped(trainer.parameterCount)) parameters, about \(byteText(needed)) of memory, \(session.threads) threads"
        )
        if dryRun { return }
        let run = try TrainingFolder(path: output, resumes: resume)
        if resume { try trainer.state.read(path: run.checkpointPath) }
        try train(trainer, file, run, session)
    }

    private func train(
        _ trainer: AutoencoderTrainer, _ file: TrainingFile, _ run: TrainingFolder, _ session: Session
    ) throws {
        let total = file.vae.steps
        let progress = session.progress("vae")
        let clock = ContinuousClock()
        let start = clock.now
        while trainer.state.step < total {
            let began = clock.now
            let step = try trainer.advance()
            let spent = clock.now - began
            try run.log(step, seconds: Double(spent.components.seconds) + Double(spent.components.attoseconds) * 1e-18)
            progress(step.step, total)
            let isLate = stopAfter.map { clock.now - start > .seconds($0 * 60) } ?? false
            if step.step % checkpoint == 0 || step.step == total || isLate {
                try run.save(trainer.state)
            }
            if isLate { break }
        }
        try run.writeModel(trainer.state, file)
    }
}
