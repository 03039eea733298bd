import BareProducts
import Foundation
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// Linear layers and sparse convolutions.
extension NeuralBenchmark {
    func linear() {
        for (rows, inputs, outputs) in [
            (1374, 1024, 4096), (10_000, 1024, 1024), (4096, 512, 2048), (50_000, 512, 512),
        ] {
            let (compute, rough) = (Compute(threads: threads), Compute(threads: threads, precision: .bf16))
            let x = Tensor(repeating: 0.5, shape: [rows, inputs])
            let weight = Tensor(repeating: 0.25, shape: [outputs, inputs])
            let work = 2 * Double(rows * inputs * outputs) * 1e-9
            let bare = BareProduct(rows: rows, inputs: inputs, outputs: outputs, threads: threads)
            let bareRough = BareBrainFloat(rows: rows, inputs: inputs, outputs: outputs, threads: threads)
            let seconds = best(
                { _ = compute.linear(x, weight) }, bare.run,
                { _ = rough.linear(x, weight) }, bareRough.run)
            report(
                "linear", "\(rows)×\(inputs)→\(outputs)",
                [
                    ("gflops", work / seconds[0]), ("sgemm", work / seconds[1]), ("share", seconds[1] / seconds[0]),
                    ("bf16", work / seconds[2]), ("bf16_bare", work / seconds[3]),
                    ("bf16_share", seconds[3] / seconds[2]),
                ])
        }
    }

    func convolution() throws {
        guard let mesh else { return note("no mesh: give --mesh FILE") }
        let loaded = try loadMesh(path: mesh, threads: threads)
        for resolution in [128, 256, 512] {
            let coordinates = try CoordinateSet(Buffer(surface(loaded.mesh, resolution: resolution)))
            if let voxels, resolution == 256 { try write(coordinates, to: voxels) }
            let map = coordinates.kernelMap(threads: threads)
            for channels in [32, 64, 128] {
                let compute = Compute(threads: threads)
                let x = Tensor(repeating: 0.5, shape: [coordinates.count, channels])
                let kernel = Tensor(repeating: 0.01, shape: [27, channels, channels])
                let bias = Tensor(repeating: 0, shape: [channels])
                let work = 2 * Double(map.pairCount * channels * channels) * 1e-9
                let peak = peak()
                let seconds = best(
                    peak.body, { _ = compute.convolve(x, kernel, bias: bias, map: map) },
                    {
                        coordinates.forgetDerived()
                        _ = coordinates.kernelMap(threads: threads)
                    })
                let available = peak.work / seconds[0]
                report(
                    "convolution", "\(resolution)³, \(channels) channels",
                    [
                        ("rows", Double(coordinates.count)),
                        ("neighbours", Double(map.pairCount) / Double(coordinates.count)),
                        ("gflops", work / seconds[1]), ("peak", available), ("share", work / seconds[1] / available),
                        ("map_ms", seconds[2] * 1e3),
                        ("share_with_map", work / (seconds[1] + seconds[2]) / available),
                    ])
            }
        }
    }

    /// The voxels within one voxel of a mesh's surface, in the order of bricks.
    func surface(_ mesh: TriangleMesh, resolution: Int) throws -> [SIMD4<Int32>] {
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.halfWidth = 1
        options.threads = 2
        options.sign = .none
        let volume = try voxelize(mesh, options: options)
        var rows: [SIMD4<Int32>] = []
        rows.reserveCapacity(volume.activeCount)
        volume.forEachActiveVoxel { _, voxel in rows.append(SIMD4(0, voxel.x, voxel.y, voxel.z)) }
        return rows
    }

    private func write(_ coordinates: CoordinateSet, to path: String) throws {
        var numbers: [Int32] = []
        for row in 0..<coordinates.count {
            let c = coordinates.rows.pointer[row]
            numbers += [c.y, c.z, c.w]
        }
        try numbers.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
    }
}
