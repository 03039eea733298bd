import SSDFCore
import SSDFNeural
import SSDFTensor

/// The slope of a loss along a random direction of some parameters: by the recorded gradient, and by central differences.
func directionalSlopes(
    _ parameters: [Parameter], seed: UInt64, step: Float, loss: () -> Tensor
) -> (recorded: Double, numeric: Double) {
    var generator = Philox(seed: seed)
    let directions = parameters.map { parameter in
        (0..<parameter.value.count).map { _ in Float(generator.uniform() * 2 - 1) }
    }
    func shifted(_ amount: Float) -> Double {
        let before = parameters.map(\.value.array)
        for (parameter, direction) in zip(parameters, directions) {
            for index in direction.indices { parameter.value.pointer[index] += amount * direction[index] }
        }
        defer {
            for (parameter, values) in zip(parameters, before) {
                for index in values.indices { parameter.value.pointer[index] = values[index] }
            }
        }
        return Double(loss().pointer[0])
    }
    let numeric = (shifted(step) - shifted(-step)) / Double(2 * step)
    var recorded = 0.0
    for (parameter, direction) in zip(parameters, directions) {
        guard let gradient = parameter.gradient else { continue }
        for index in direction.indices { recorded += Double(gradient.pointer[index] * direction[index]) }
    }
    return (recorded, numeric)
}
