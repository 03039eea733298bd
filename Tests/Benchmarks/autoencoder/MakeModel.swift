import BareProducts
import Foundation
import RandomModels
import SSDFCore
import SSDFTensor
import SSDFVolume

/// What the autoencoder's benchmark needs beside the tools.
///
///     random-model FOLDER              a model of the released size, random weights in half precision
///     random-model --cells VOLUME FILE the active voxels as int32 x, y, z
///     random-model --peak              Gflop/s of the best bare f32 product on every processor at once
@main struct MakeModel {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("--peak", 1): print(BarePeak(threads: availableProcessors()).measured() * 1e-9)
        case ("--cells", 3): try cells(of: arguments[1], to: arguments[2])
        case (.some(let folder), 1): try RandomModel(yaml: RandomModel.released, type: .f16).write(to: folder)
        default:
            FileHandle.standardError.write(
                Data("usage: random-model FOLDER | --cells VOLUME FILE | --peak\n".utf8))
            exit(64)
        }
    }

    private static func cells(of path: String, to file: String) throws {
        let volume = try loadVolume(path: path, threads: availableProcessors())
        var bytes = Data()
        volume.forEachActiveVoxel { _, voxel in
            for place in [voxel.x, voxel.y, voxel.z] { withUnsafeBytes(of: place) { bytes.append(contentsOf: $0) } }
        }
        try bytes.write(to: URL(fileURLWithPath: file))
    }
}
