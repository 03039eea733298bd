import Dispatch
import SSDFCore
import SSDFMesh
import Synchronization

/// Divides memory between workers whose pieces of work differ much in size.
///
/// Half of it is split evenly, a share for each worker; the other half is for one piece of work at a time that needs more
/// than a share. A worker waits only for that half, and holds nothing another could wait for, so no two wait for each other.
final class MemoryGate: Sendable {
    /// What one worker may use now.
    struct Lease {
        fileprivate var isWide = false
        fileprivate var bytes = 0
    }

    private let share: Int
    private let half: Int
    private let wide = DispatchSemaphore(value: 1)
    private let sums = Mutex((now: 0, most: 0))

    /// The most bytes that workers were to use at one time.
    var most: Int { sums.withLock { $0.most } }

    init(bytes: Int, workers: Int) {
        half = bytes / 2
        share = half / workers
    }

    func enter() -> Lease { Lease() }

    /// Makes sure that a worker may use `bytes`; waits for other large pieces of work to end.
    /// - Throws: `unavailable` when there are not as many.
    func widen(_ lease: inout Lease, to bytes: Int, for purpose: String) throws(Failure) {
        guard bytes <= half else {
            throw Failure(
                .unavailable,
                "\(purpose) needs about \(byteText(bytes)) of memory, expected at most \(byteText(half))")
        }
        if bytes > share, !lease.isWide {
            wide.wait()
            lease.isWide = true
        }
        guard bytes > lease.bytes else { return }
        let more = bytes - lease.bytes
        lease.bytes = bytes
        sums.withLock {
            $0.now += more
            $0.most = max($0.most, $0.now)
        }
    }

    func leave(_ lease: inout Lease) {
        let bytes = lease.bytes
        sums.withLock { $0.now -= bytes }
        if lease.isWide { wide.signal() }
        lease = Lease()
    }
}

/// About how much memory the parts of a preparation take.
enum PreparationCost {
    /// A mesh file of any format: its bytes, the mesh, and what a reader keeps while it reads.
    static func reading(fileBytes: Int) -> Int { 5 * fileBytes + (12 << 20) }

    /// The largest volume of a mesh, with the mesh and the structures over its triangles. The band holds as many voxels as
    /// its surface's area says, which is known once the mesh is.
    static func making(_ mesh: TriangleMesh, _ settings: PreparationSettings) -> Int {
        let box = mesh.boundingBox
        let scale = VoxelizeOptions.normalizedSide / Double(max(box.longestSide, .leastNormalMagnitude))
        let area = mesh.surfaceArea * scale * scale
        let resolution = Double(settings.resolutions.last ?? 128)
        // No more than the cube itself, however the surface is folded.
        let cube = resolution * resolution * resolution
        let voxels = min(area * resolution * resolution / 4 * 2 * PreparationSettings.halfWidth, cube)
        let volume = Int(voxels.isFinite ? min(voxels, 1e12) : 1e12) * 24
        // The structures over the triangles are gone when the largest volume is whole.
        return max(mesh.triangleCount * 110, mesh.triangleCount * 45 + volume) + (12 << 20)
    }
}
