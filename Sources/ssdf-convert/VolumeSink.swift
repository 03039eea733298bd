import SSDFCommand
import SSDFCore
import SSDFOpenVDB
import SSDFVolume

/// Where converted grids go: a file of one of the formats.
final class VolumeSink {
    private let format: VolumeFormat
    private let options: ExportOptions
    private let output: Output
    /// The writers of formats that hold several grids.
    private var container: VolumeWriter?
    private var openVDB: OpenVDBWriter?

    init(format: VolumeFormat, coding: VolumeWriteOptions, options: ExportOptions, to output: Output) throws(Failure) {
        self.format = format
        self.options = options
        self.output = output
        if format == .ssdf { container = try VolumeWriter(options: coding, to: output.sink) }
        if format == .vdb { openVDB = try OpenVDBWriter() }
    }

    /// Writes a grid, the only one where the format holds one.
    func write(_ volume: borrowing SparseVolume) throws(Failure) {
        switch format {
        case .ssdf: try container?.write(volume)
        case .vdb: try openVDB?.add(volume, isHalf: options.isHalf)
        case .npz: try writeNumpy(volume, options: options, to: output.sink)
        case .nrrd: try writeNRRD(volume, options: options, to: output.sink)
        }
    }

    /// Completes the file.
    func finish() throws(Failure) {
        if let container = container.take() { try container.finish() }
        if let openVDB = openVDB.take() { try openVDB.finish(isCompressed: options.isDeflated, to: output.sink) }
        try output.commit()
    }
}
