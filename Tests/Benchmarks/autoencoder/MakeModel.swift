import BareProducts
import Foundation
import RandomModels
import SSDFCore
import SSDFTensor
import SSDFVolume

/// What the autoencoder's benchmark needs beside the tools.
///
///     random-model FOLDER              a model of the released size, random weights in half precision
///     random-model --yaml FILE FOLDER  one of that configuration
///     random-model --cells VOLUME FILE the active voxels as int32 x, y, z
///     random-model --peak [bf16]       Gflop/s of the best bare product on every processor at once; f32 if not said
@main struct MakeModel {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("--peak", 1): print(BarePeak(threads: availableProcessors()).measured() * 1e-9)
        case ("--peak", 2):
            let precision = Precision(rawValue: arguments[1]) ?? .f32
            print(BarePeak(threads: availableProcessors(), precision: precision).measured() * 1e-9)
        case ("--yaml", 3):
            let yaml = try String(contentsOfFile: arguments[1], encoding: .utf8)
            try RandomModel(yaml: yaml, type: .f16).write(to: arguments[2])
        case ("--cells", 3): try cells(of: arguments[1], to: arguments[2])
        case (.some(let folder), 1): try RandomModel(yaml: RandomModel.released, type: .f16).write(to: folder)
        default:
            FileHandle.standardError.write(
                Data("usage: random-model FOLDER | --yaml FILE FOLDER | --cells VOLUME FILE | --peak [bf16]\n".utf8))
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
