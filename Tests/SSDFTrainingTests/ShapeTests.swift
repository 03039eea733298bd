import CSSDFKernels
import SSDFCore
import SSDFMesh
import SSDFTraining
import SSDFVolume
import Testing

@Suite struct ShapeTests {
    @Test(arguments: ShapeFamily.allCases) func everyFamilyMakesClosedSolids(_ family: ShapeFamily) throws {
        for index in 0..<12 {
            let shape = family.shape(Philox(seed: 5, stream: UInt64(index))).normalized()
            let band = BandSamples(shape, resolution: 64)
            let mesh = try extractSurface(band.volume(), options: ExtractOptions(method: .mc, threads: 1))
            let box = mesh.boundingBox
            let size = box.maximum - box.minimum
            #expect(abs(size.max() - 1.9) < 0.08, "\(family) \(index): \(size)")
            #expect(abs((box.maximum + box.minimum).max()) < 0.06)
            let report = MeshReport(mesh, threads: 1)
            #expect(report.isClosed, "\(family) \(index)")
        }
    }

    @Test func shapesDependOnSeedNumberAndSplitAlone() {
        let shapes = ProceduralShapes(seed: 3)
        #expect(shapes.shape(7, .training).shape == ProceduralShapes(seed: 3).shape(7, .training).shape)
        #expect(shapes.shape(7, .training).shape != shapes.shape(7, .heldOut).shape)
        #expect(shapes.shape(7, .training).shape != shapes.shape(8, .training).shape)
        #expect(shapes.shape(7, .training).shape != ProceduralShapes(seed: 4).shape(7, .training).shape)
    }

    @Test func instructionSetsAgree() {
        for family in ShapeFamily.allCases {
            let shape = family.shape(Philox(seed: 1))
            var generator = Philox(seed: 2)
            let count = 101
            let points = (0..<3 * count).map { _ in Float(generator.uniform() * 2 - 1) }
            func distances(_ isa: Int32) -> [Float] {
                var result = [Float](repeating: 0, count: count)
                points.withUnsafeBufferPointer { p in
                    shape.numbers.withUnsafeBufferPointer {
                        ssdf_shape_distances_with(
                            isa, $0.baseAddress!, shape.primitiveCount, p.baseAddress!, p.baseAddress! + count,
                            p.baseAddress! + 2 * count, &result, count)
                    }
                }
                return result
            }
            let scalar = distances(0)
            for isa in 1...max(ssdf_processor_isa(), 1) where isa <= ssdf_processor_isa() {
                let worst = zip(scalar, distances(isa)).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
                #expect(worst < 1e-5, "\(family), instruction set \(isa)")
            }
        }
    }
}
