import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFNeural
import SSDFTensor

/// Which stages are run.
package enum StageChoice: String, Sendable, CaseIterable, ExpressibleByArgument {
    case dense
    case sparse512 = "512"
    case sparse1024 = "1024"
    case all
}

/// One value for all stages, or one for each of dense, 512 and 1024: "20" or "50,30,15".
package struct PerStage: ExpressibleByArgument, Sendable, Equatable {
    package let values: [Double]

    package init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Double($0) }
        guard numbers.count == parts.count, numbers.count == 1 || numbers.count == 3,
            numbers.allSatisfy({ $0.isFinite && $0 >= 0 })
        else { return nil }
        values = numbers.count == 1 ? [Double](repeating: numbers[0], count: 3) : numbers
    }
}

/// What the tools that sample take alike.
package struct SamplingArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The last stage (default: the model's highest).", valueName: "stage"))
    package var stage = StageChoice.all

    @Option(
        help: ArgumentHelp(
            "Steps of every stage, or of dense, 512 and 1024 (default: 50,30,15).", valueName: "count"))
    package var steps: PerStage?

    @Option(
        help: ArgumentHelp(
            "Guidance scale of every stage, or of each; 0 runs the picture's pass alone (default: 7).",
            valueName: "scale"))
    package var guidance: PerStage?

    @Option(
        help: ArgumentHelp("The object's matte, PNG: its alpha, or its brightness.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    package var matte: String?

    @Flag(inversion: .prefixedNo, help: "Refine what is decoded, where the model has a refiner for it.")
    package var refine = true

    @OptionGroup package var seed: SeedOptions

    @Option(help: ArgumentHelp("Number format of the products.", valueName: "format"))
    package var precision = Precision.f32

    package init() {}

    /// - Throws: `ValidationError` when the numbers make no sense.
    package func check() throws {
        for value in steps?.values ?? [] where value != value.rounded() || !(1...1000).contains(value) {
            throw ValidationError("--steps is \(rounded(value)), expected whole numbers, 1 to 1000")
        }
        for value in guidance?.values ?? [] where value > 100 {
            throw ValidationError("--guidance is \(rounded(value)), expected 0 to 100")
        }
    }

    package func options(threads: Int, memory: Int) -> DiffusionPipeline.Options {
        var options = DiffusionPipeline.Options()
        if let steps { options.steps = steps.values.map { Int($0) } }
        if let guidance { options.guidance = guidance.values }
        options.seed = seed.seed.value
        options.threads = threads
        options.precision = precision
        options.refines = refine
        options.memory = memory
        return options
    }

    /// - Throws: `unavailable` when the model has no such stage.
    package func lastStage(of model: ModelDirectory) throws(Failure) -> DiffusionStage {
        let known = DiffusionStage.all(in: model)
        guard let highest = known.last else {
            throw Failure(.unavailable, file: model.path, "the model has no stages of diffusion")
        }
        guard let asked = DiffusionStage(rawValue: stage.rawValue) else { return highest }
        guard known.contains(asked) else {
            throw Failure(
                .unavailable, file: model.path,
                "the model has no stage \(asked.rawValue), expected \(known.map(\.rawValue).joined(separator: ", "))")
        }
        return asked
    }

    /// Reads a picture and gives it a matte. Returns it and the hash of its file.
    package func picture(_ path: String, session: Session) throws -> (RasterImage, String) {
        let (picture, hash) = try readPicture(path)
        if let matte { return (try picture.matted(by: readPicture(matte).picture), hash) }
        guard !picture.hasTransparency else { return (picture, hash) }
        let matted = try picture.mattedFromPlainBackground()
        session.warn("\(path): no alpha; the object was told from a plain background")
        return (matted, hash)
    }

    private func readPicture(_ path: String) throws(Failure) -> (picture: RasterImage, hash: String) {
        let file = try FileBytes(path: path)
        defer { withExtendedLifetime(file.bytes.count) {} }
        do throws(Failure) {
            return (try RasterImage(png: file.bytes), contentHash(file.bytes))
        } catch {
            throw error.inFile(file.name)
        }
    }

    /// What shaped the result, in one order however it was typed.
    package var recorded: [String] {
        let options = options(threads: 1, memory: 0)
        return [
            "--stage=\(stage.rawValue)", "--steps=\(options.steps.map { "\($0)" }.joined(separator: ","))",
            "--guidance=\(options.guidance.map { rounded($0) }.joined(separator: ","))",
            refine ? "--refine" : "--no-refine", "--precision=\(precision.rawValue)",
        ]
    }
}

extension Precision: ExpressibleByArgument {}
