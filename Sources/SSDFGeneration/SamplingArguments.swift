import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFNeural
import SSDFTensor

/// The last stage to run: one of the model's, or its highest.
package enum StageChoice: Sendable, Equatable, ExpressibleByArgument {
    case all
    case stage(DiffusionStage)

    /// The stage that a person named; nil when there is none of that name.
    package init?(argument: String) {
        if argument == "all" {
            self = .all
        } else if let stage = DiffusionStage(name: argument) {
            self = .stage(stage)
        } else {
            return nil
        }
    }

    /// As it is typed.
    package var name: String {
        switch self {
        case .all: "all"
        case .stage(let stage): stage.name
        }
    }

    /// As the help shows it.
    package var defaultValueDescription: String { name }
}

/// One value for all stages of a model, or one for each: "20" or "50,30,15".
package struct PerStage: ExpressibleByArgument, Sendable, Equatable {
    /// One value, or one for each stage in order; none is negative.
    package let values: [Double]

    /// The numbers that a person typed, between commas; nil when one is none, negative or not finite.
    package init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = parts.compactMap { Double($0) }
        guard values.count == parts.count, values.count <= 64, values.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
            return nil
        }
    }

    /// The value of each stage.
    /// - Throws: `usage` when there is neither one nor one for each.
    func values(_ option: String, for stages: [DiffusionStage]) throws(Failure) -> [Double] {
        if values.count == 1 { return [Double](repeating: values[0], count: stages.count) }
        guard values.count == stages.count else {
            throw Failure(
                .usage,
                "\(option) has \(values.count) numbers, expected 1, or one for each stage of the model: "
                    + stages.map(\.name).joined(separator: ", "))
        }
        return values
    }
}

/// What the tools that sample take alike.
package struct SamplingArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The last stage: dense, a resolution such as 512, or all, the model's highest.", valueName: "stage"))
    package var stage = StageChoice.all

    @Option(
        help: ArgumentHelp(
            "Steps of every stage, or of each of the model's in turn, as 50,30,15 (default: the model's).",
            valueName: "count"))
    package var steps: PerStage?

    @Option(
        help: ArgumentHelp(
            "Guidance scale of every stage, or of each; 0 runs the picture's pass alone (default: the model's).",
            valueName: "scale"))
    package var guidance: PerStage?

    @Option(
        help: ArgumentHelp(
            "What sampling starts from: noise, or zero for the mean of all shapes (default: the model's; noise when "
                + "steps, a guidance scale or a seed is given).", valueName: "values"))
    package var start: SamplingStart?

    @Option(help: ArgumentHelp("Seed of the noise: a number, or random (default: 0).", valueName: "seed"))
    package var seed: Seed?

    @Option(
        help: ArgumentHelp("The object's matte, PNG: its alpha, or its brightness.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    package var matte: String?

    @Flag(
        inversion: .prefixedNo, help: "Refine what is decoded (default: where the model has a refiner that fits it).")
    package var refine: Bool?

    @Option(help: ArgumentHelp("Number format of the products.", valueName: "format"))
    package var precision = Precision.f32

    /// The defaults, before the command line is read.
    package init() {}

    /// - Throws: `ValidationError` when the numbers make no sense.
    package func check(inputs: [String]) throws {
        if inputs.count > 1, matte != nil { throw ValidationError("--matte takes one picture") }
        if inputs.filter({ $0 == "-" }).count > 1 { throw ValidationError("standard input can be read once") }
        for value in steps?.values ?? [] where value != value.rounded() || !(1...1000).contains(value) {
            throw ValidationError("--steps is \(rounded(value)), expected whole numbers, 1 to 1000")
        }
        for value in guidance?.values ?? [] where value > 100 {
            throw ValidationError("--guidance is \(rounded(value)), expected 0 to 100")
        }
    }

    /// - Throws: `usage` when the numbers are not those of the model's stages; `unavailable` when it lacks a scheduler.
    package func options(
        for model: ModelDirectory, threads: Int, memory: Int
    ) throws(Failure) -> DiffusionPipeline.Options {
        var options = DiffusionPipeline.Options()
        let stages = DiffusionStage.all(in: model)
        let steps = try self.steps?.values("--steps", for: stages)
        let guidance = try self.guidance?.values("--guidance", for: stages)
        for (index, stage) in stages.enumerated() {
            options.plans[stage] = SamplingPlan(
                stage, try model.scheduler(of: stage), steps: steps.map { Int($0[index]) },
                guidance: guidance.map { $0[index] }, start: start,
                wantsNoise: steps != nil || guidance != nil || seed != nil)
        }
        options.seed = seed?.value ?? Seed.fixed.value
        options.threads = threads
        options.precision = precision
        options.refines = refine.map { $0 ? .always : .never } ?? .whereItFits
        options.memory = memory
        return options
    }

    /// - Throws: `unavailable` when the model has no such stage.
    package func lastStage(of model: ModelDirectory) throws(Failure) -> DiffusionStage {
        let known = DiffusionStage.all(in: model)
        guard let highest = known.last else {
            throw Failure(.unavailable, file: model.path, "the model has no stages of diffusion")
        }
        guard case .stage(let asked) = stage else { return highest }
        guard known.contains(asked) else {
            throw Failure(
                .unavailable, file: model.path,
                "the model has no stage \(asked.name), expected \(known.map(\.name).joined(separator: ", ")) or all")
        }
        return asked
    }

    /// Reads a picture and gives it a matte. Returns it and the hash of its file.
    package func picture(_ path: String, session: Session) throws -> (RasterImage, String) {
        let (picture, hash) = try readPicture(path)
        if let matte {
            let other = try readPicture(matte).picture
            do throws(Failure) {
                return (try picture.matted(by: other), hash)
            } catch {
                throw error.inFile(matte)
            }
        }
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
    package func recorded(_ options: DiffusionPipeline.Options, of model: ModelDirectory) -> [String] {
        let plans = DiffusionStage.all(in: model).compactMap { options.plans[$0] }
        func joined(_ values: [String]) -> String { values.joined(separator: ",") }
        return [
            "--stage=\(stage.name)", "--steps=\(joined(plans.map { "\($0.steps)" }))",
            "--guidance=\(joined(plans.map { rounded($0.guidance) }))",
            "--start=\(joined(plans.map(\.start.rawValue)))", "--refine=\(options.refines.rawValue)",
            "--precision=\(precision.rawValue)",
        ]
    }
}

extension Precision: ExpressibleByArgument {}
extension SamplingStart: ExpressibleByArgument {}
