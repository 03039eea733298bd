import SSDFCore
import SSDFNeural
import SSDFTensor

/// Times a device's operations at the sizes that training has.
package final class DeviceBenchmark {
    private let plugin: DevicePlugin
    private let compute: Compute

    package init(_ plugin: DevicePlugin, threads: Int) {
        self.plugin = plugin
        compute = Compute(DeviceBackend(plugin, threads: threads))
    }

    /// Tells a line an operation: milliseconds forward, and forward and backward; and TFLOP/s, or GB/s of the tensors
    /// forward.
    package func run(_ tell: (String) throws -> Void) throws {
        plugin.allowRounding(true)
        let rows = 128 * 201
        func products(_ a: Int, _ b: Int) -> Double { 2 * Double(rows) * Double(a) * Double(b) }
        func line(_ name: String, _ times: (Double, Double), work: Double, _ unit: String) throws {
            func text(_ x: Double) -> String { "\(Double(Int(x * 1000)) / 1000)" }
            try tell("\(name): \(text(times.0)) ms, \(text(times.1)) ms with gradients, \(text(work / times.0 / 1e9)) \(unit)")
        }
        for (inputs, outputs) in [(128, 384), (128, 512), (512, 128)] {
            try line(
                "linear \(rows)×\(inputs)→\(outputs)",
                time([[rows, inputs], [outputs, inputs], [outputs]]) { $0.linear($1[0], $1[1], bias: $1[2]) },
                work: products(inputs, outputs), "TFLOP/s")
        }
        let moved = Double(4 * rows * 128)
        try line("add", time([[rows, 128], [rows, 128]]) { $0.add($1[0], $1[1]) }, work: 3 * moved, "TB/s")
        try line("gelu", time([[rows, 512]]) { $0.apply(.geluErf, $1[0]) }, work: 8 * moved, "TB/s")
        try line(
            "layer norm", time([[rows, 128], [128], [128]]) { $0.layerNorm($1[0], weight: $1[1], bias: $1[2], epsilon: 1e-6) },
            work: 2 * moved, "TB/s")
        for (name, items, queries, keys) in [
            ("picture", 128, 201, 201), ("cells", 128, 64, 64), ("cells to picture", 128, 64, 201),
            ("latents", 24, 800, 800), ("latents to picture", 24, 800, 201),
        ] {
            let plan = AttentionPlan(
                queries: (0..<items).map { $0 * queries..<($0 + 1) * queries },
                keys: (0..<items).map { $0 * keys..<($0 + 1) * keys })
            try line(
                "attention, \(name)",
                time([[items * queries, 4, 32], [items * keys, 4, 32], [items * keys, 4, 32]]) {
                    $0.attention($1[0], $1[1], $1[2], plan: plan)
                }, work: 4 * Double(items * queries * keys) * 128, "TFLOP/s")
        }
    }

    private func time(
        _ shapes: [[Int]], _ body: (Compute, [Tensor]) -> Tensor
    ) -> (forward: Double, both: Double) {
        let inputs = shapes.enumerated().map { index, shape in
            var generator = Philox(seed: 1, stream: UInt64(index))
            var tensor = Tensor(
                (0..<shape.reduce(1, *)).map { _ in Float(generator.uniform() * 2 - 1) }, shape: shape)
            tensor.variable = Variable()
            return tensor
        }
        let clock = ContinuousClock()
        func median(_ work: () -> Void) -> Double {
            var times: [Double] = []
            for _ in 0..<3 { work() }
            for _ in 0..<7 {
                plugin.finish()
                let start = clock.now
                for _ in 0..<5 { work() }
                plugin.finish()
                times.append((clock.now - start) / .milliseconds(5))
            }
            return times.sorted()[3]
        }
        let forward = median { _ = body(compute, inputs) }
        let both = median {
            _ = compute.differentiate { compute.sum(body(compute, inputs)) }
            for input in inputs { input.variable?.reset() }
        }
        return (forward, both)
    }
}
