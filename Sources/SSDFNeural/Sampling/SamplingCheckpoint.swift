import SSDFCore
import SSDFTensor

/// A run that was interrupted: which stage, and where that stood. A safetensors file of `x` and, in sparse stages, of
/// `cells`.
package struct SamplingCheckpoint: Sendable {
    /// The stage that was running.
    package let stage: DiffusionStage
    /// Where it stood.
    package let state: SamplingState
    /// What the run was made of: two runs with the same key go on to the same result.
    package let key: String

    /// A state of a run.
    package init(stage: DiffusionStage, state: SamplingState, key: String) {
        (self.stage, self.state, self.key) = (stage, state, key)
    }

    /// Writes the checkpoint as a safetensors file.
    /// - Throws: what the sink throws.
    package func write(to sink: ByteSink) throws(Failure) {
        var items = [SafetensorsWriter.Item(name: "x", type: .f32, shape: state.shape)]
        if !state.cells.isEmpty {
            items.append(SafetensorsWriter.Item(name: "cells", type: .i32, shape: [state.cells.count, 3]))
        }
        var writer = try SafetensorsWriter(
            items: items, metadata: ["key": key, "stage": stage.name, "step": "\(state.step)"])
        try writer.writeHeader(to: sink)
        for item in writer.items {
            if item.name == "x" {
                let buffer = Buffer(state.x)
                try writer.write(UnsafeRawBufferPointer(buffer.unsafeElements), to: sink)
                withExtendedLifetime(buffer.count) {}
            } else {
                let buffer = Buffer(state.cells.flatMap { [$0.x, $0.y, $0.z] })
                try writer.write(UnsafeRawBufferPointer(buffer.unsafeElements), to: sink)
                withExtendedLifetime(buffer.count) {}
            }
        }
    }

    /// - Throws: `noInput` when it cannot be opened, `badData` when it is not a checkpoint.
    package init(path: String) throws(Failure) {
        let file = try SafetensorsFile(path: path)
        let fields = Dictionary(file.header.metadata.map { ($0.key, $0.value) }) { first, _ in first }
        guard let key = fields["key"], let stage = fields["stage"].flatMap(DiffusionStage.init(name:)),
            let step = fields["step"].flatMap({ Int($0) }), step >= 0, let x = file.entry("x"), x.type == .f32
        else {
            throw .badData(file: path, "not a checkpoint of a sampling run", expected: "one that ssdf-diffuse wrote")
        }
        var cells: [SIMD3<Int32>] = []
        if let entry = file.entry("cells") {
            guard entry.type == .i32, entry.shape.count == 2, entry.shape[1] == 3, entry.shape[0] == x.shape.first
            else {
                throw .badData(
                    file: path, place: "tensor \"cells\"", "\(entry.type.rawValue) \(entry.shape)",
                    expected: "a cell for each row of x")
            }
            let bytes = file.bytes(of: entry)
            cells = (0..<entry.shape[0]).map { row in
                func number(_ axis: Int) -> Int32 {
                    bytes.loadUnaligned(fromByteOffset: 4 * (3 * row + axis), as: Int32.self)
                }
                return SIMD3(number(0), number(1), number(2))
            }
        }
        self.stage = stage
        self.key = key
        state = SamplingState(step: step, x: try file.floats(of: x).array, shape: x.shape, cells: cells)
    }
}
