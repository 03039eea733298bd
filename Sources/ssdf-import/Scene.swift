import CAssimp
import SSDFCore

/// A scene that Assimp has read.
struct Scene: ~Copyable {
    private let scene: UnsafePointer<aiScene>

    /// - Parameter hint: reads standard input as a file of this suffix; nil reads the file by its name.
    init(file: String, hint: String?) throws(Failure) {
        let store = aiCreatePropertyStore()
        defer { aiReleasePropertyStore(store) }
        // Axes stay as the file has them, as for every other format.
        aiSetImportPropertyInteger(store, "IMPORT_COLLADA_IGNORE_UP_DIRECTION", 1)
        let loaded: UnsafePointer<aiScene>?
        if let hint {
            let bytes = try FileBytes(path: file)
            loaded = try bytes.withBytes { content throws(Failure) in
                guard let length = UInt32(exactly: content.count) else {
                    throw .badData("\(content.count) bytes", expected: "less than 4 GiB")
                }
                return aiImportFileFromMemoryWithProperties(
                    content.baseAddress?.assumingMemoryBound(to: CChar.self), length, 0, hint, store)
            }
        } else {
            loaded = aiImportFileExWithProperties(file, 0, nil, store)
        }
        guard let loaded else { throw Failure(.badData, String(cString: aiGetErrorString())) }
        scene = loaded
    }

    deinit { aiReleaseImport(scene) }

    /// The importer's name for the format, or nil.
    private var format: String? {
        guard let notes = scene.pointee.mMetaData?.pointee else { return nil }
        for index in 0..<Int(notes.mNumProperties) {
            let key = notes.mKeys[index], value = notes.mValues[index]
            guard text(of: key) == "SourceAsset_Format", value.mType == AI_AISTRING, let data = value.mData else {
                continue
            }
            return text(of: data.assumingMemoryBound(to: aiString.self).pointee)
        }
        return nil
    }

    /// What the root node adds to the file's own coordinates and is taken off again: COLLADA's length of a unit, which
    /// the importer turns into metres while every other format keeps its units.
    private var rootTransform: AffineTransform3 {
        guard let root = scene.pointee.mRootNode, format?.hasPrefix("Collada") != true else { return .identity }
        return AffineTransform3(root.pointee.mTransformation)
    }

    /// A mesh where a node puts it.
    private struct Instance {
        var mesh: UnsafePointer<aiMesh>
        var transform: AffineTransform3
    }

    /// Writes every instance of every mesh, in the order of the nodes.
    /// - Parameter most: bytes that the stream may take; instances can multiply a small file without bound.
    func write(most: Int) throws(Failure) {
        let instances = try instances()
        var bytes = 0
        for instance in instances {
            let mesh = instance.mesh.pointee
            bytes += 12 * Int(mesh.mNumVertices) + 16 * Int(mesh.mNumFaces)
            guard bytes <= most else {
                throw .badData("\(instances.count) placed meshes that take more than \(most) bytes", expected: "fewer")
            }
        }
        try MeshStream.begin()
        for instance in instances { try write(instance) }
        try MeshStream.end()
    }

    /// Walks the nodes without recursion: a hostile tree may be deep.
    private func instances() throws(Failure) -> [Instance] {
        guard let root = scene.pointee.mRootNode else { return [] }
        let meshes = UnsafeBufferPointer(start: scene.pointee.mMeshes, count: Int(scene.pointee.mNumMeshes))
        var instances: [Instance] = []
        var pending: [(UnsafeMutablePointer<aiNode>, AffineTransform3)] = [(root, rootTransform)]
        while let (node, transform) = pending.popLast() {
            for slot in 0..<Int(node.pointee.mNumMeshes) {
                let index = Int(node.pointee.mMeshes[slot])
                guard index < meshes.count, let mesh = meshes[index] else {
                    throw .badData("a node with mesh \(index)", expected: "less than \(meshes.count)")
                }
                instances.append(Instance(mesh: mesh, transform: transform))
            }
            for child in (0..<Int(node.pointee.mNumChildren)).reversed() {
                guard let child = node.pointee.mChildren[child] else { continue }
                pending.append((child, transform.composed(after: AffineTransform3(child.pointee.mTransformation))))
            }
        }
        return instances
    }

    private func write(_ instance: Instance) throws(Failure) {
        let mesh = instance.mesh.pointee
        guard let vertices = mesh.mVertices, let faces = mesh.mFaces else { return }
        let count = Int(mesh.mNumVertices)
        let positions = [Float](filling: 3 * count) { out in
            for v in 0..<count {
                let p = instance.transform([Double(vertices[v].x), Double(vertices[v].y), Double(vertices[v].z)])
                out[3 * v] = Float(p.x)
                out[3 * v + 1] = Float(p.y)
                out[3 * v + 2] = Float(p.z)
            }
        }
        // A transform that mirrors turns every face inside out, so their corners are taken backwards.
        let isMirrored = instance.transform.determinant < 0
        var triangles: [UInt32] = []
        var polygons: [UInt32] = []
        var polygonCorners: [UInt32] = []
        for f in 0..<Int(mesh.mNumFaces) {
            let corners = Int(faces[f].mNumIndices)
            // Points and lines have no surface.
            guard corners >= 3, let indices = faces[f].mIndices else { continue }
            if corners == 3 {
                triangles += isMirrored ? [indices[0], indices[2], indices[1]] : [indices[0], indices[1], indices[2]]
            } else {
                polygons.append(UInt32(corners))
                for corner in 0..<corners { polygonCorners.append(indices[isMirrored ? corners - 1 - corner : corner]) }
            }
        }
        if triangles.isEmpty, polygons.isEmpty { return }
        try MeshStream.writePart(
            positions: positions, triangles: triangles, polygons: polygons, polygonCorners: polygonCorners)
    }
}

private func text(of string: aiString) -> String {
    withUnsafeBytes(of: string.data) { String(decoding: $0.prefix(Int(string.length)), as: UTF8.self) }
}

extension AffineTransform3 {
    /// Assimp's matrices are row-major, with the translation in the last column.
    fileprivate init(_ m: aiMatrix4x4) {
        self.init(
            x: [Double(m.a1), Double(m.b1), Double(m.c1)], y: [Double(m.a2), Double(m.b2), Double(m.c2)],
            z: [Double(m.a3), Double(m.b3), Double(m.c3)],
            translation: [Double(m.a4), Double(m.b4), Double(m.c4)])
    }
}
