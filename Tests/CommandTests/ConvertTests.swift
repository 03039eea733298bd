import FixtureMeshes
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf-convert`, and what other programs make of its files.
@Suite struct ConvertTests {
    /// A python3 that has a module, or nil, which is said.
    private static func python(with module: String, _ shell: Shell) -> String? {
        for python in ["python3", "/usr/bin/python3"]
        where shell.run("\(python) -c 'import \(module)'").status == 0 { return python }
        note("there is no \(module) for Python; the files of ssdf-convert are not read with it")
        return nil
    }

    private static func note(_ text: String) {
        let line = "note: \(text)\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
    }

    @Test func goesThroughEveryFormatToTheSameBytes() {
        let shell = Shell.withVolume()
        let result = shell.run(
            """
            set -e -o pipefail
            ssdf-convert ball.ssdf -o same.ssdf; cmp ball.ssdf same.ssdf
            ssdf-convert ball.ssdf -o a.npz; ssdf-convert a.npz -o a.ssdf; cmp ball.ssdf a.ssdf
            ssdf-convert ball.ssdf -o b.npz --layout dense --threads 1; ssdf-convert b.npz -o b.ssdf; cmp ball.ssdf b.ssdf
            ssdf-convert ball.ssdf -o c.nrrd --uncompressed; ssdf-convert c.nrrd -o c.ssdf; cmp ball.ssdf c.ssdf
            ssdf-convert - --format nrrd < ball.ssdf | ssdf-convert - --format npz | ssdf-convert - | cmp - ball.ssdf
            ssdf-convert ball.ssdf -o d.npz --dtype f16; ssdf-convert d.npz -o d2.ssdf --dtype f16
            # Rounded before, nothing is lost any more.
            ssdf-convert ball.ssdf -o - --dtype f16 | ssdf-convert - --dtype f16 | cmp - d2.ssdf
            ssdf-convert ball.ssdf -o e.ssdf --from 20,20,20 --through 40,30,63
            ssdf-convert a.npz -o f.ssdf --from 20,20,20 --through 40,30,63; cmp e.ssdf f.ssdf
            ssdf-inspect --check e.ssdf d2.ssdf > /dev/null
            """)
        #expect(result.status == 0 && result.err.isEmpty, "\(result)")
    }

    @Test func numpyReadsIt() {
        let shell = Shell.withVolume()
        guard let python = Self.python(with: "numpy", shell) else { return }
        shell.write(
            "check.py",
            """
            import numpy as np
            v, d, h = np.load("v.npz"), np.load("d.npz"), np.load("h.npz")
            at, values = v["coordinates"], v["values"]
            assert at.dtype == np.int32 and values.dtype == np.float32 and at.shape == (len(values), 3)
            dense, active = d["values"], d["active"] != 0
            origin = d["origin"]
            # The band reaches beyond the cube of 64 voxels a side.
            assert dense.shape == active.shape and (origin <= 0).all() and (origin + dense.shape >= 64).all()
            place = tuple((at - origin).T)
            assert active.sum() == len(values) and active[place].all() and (dense[place] == values).all()
            assert h["values"].dtype == np.float16 and (h["values"] == values.astype(np.float16)).all()
            m = v["index_to_world"]
            assert m.shape == (3, 4) and m.dtype == np.float64
            world = at @ m[:, :3].T + m[:, 3]
            # The mesh is a sphere, its longest side 1.9 in the cube.
            assert np.abs(np.linalg.norm(world, axis=1) - 0.95 - values).max() < 0.03
            i = (np.indices(dense.shape).reshape(3, -1).T + origin) @ m[:, :3].T + m[:, 3]
            far = np.abs(np.linalg.norm(i, axis=1) - 0.95) > 0.03
            assert ((dense.reshape(-1) < 0) == (np.linalg.norm(i, axis=1) < 0.95))[far].all()
            assert str(v["kind"]) == "sdf" and int(v["resolution"]) == 64 and float(v["background"]) == float(v["truncation"])
            assert [str(a) for a in v["arguments"]][0] == "--resolution=64" and str(v["name"]) == "sdf"
            # Back from what Python writes: packed, Fortran order, doubles, big-endian, nothing said.
            np.savez_compressed("back.npz", values=np.asfortranarray(dense.astype(">f8")), background=v["background"],
                index_to_world=m, resolution=64, origin=origin)
            np.save("back.npy", dense[tuple(slice(-o, 64 - o) for o in origin)])
            """)
        let result = shell.run(
            """
            set -e
            ssdf-convert ball.ssdf -o v.npz; ssdf-convert ball.ssdf -o d.npz --layout dense
            ssdf-convert ball.ssdf -o h.npz --dtype f16 --uncompressed
            \(python) check.py
            ssdf-convert back.npz -o back.ssdf
            ssdf-convert back.npy -o npy.ssdf --background $(\(python) -c 'import numpy; print(numpy.load("v.npz")["background"])')
            for f in ball back npy; do ssdf-extract $f.ssdf -o $f.off; tail -n +2 $f.off | head -1; done | sort -u | wc -l
            ssdf-inspect --strict ball.off back.off npy.off > /dev/null
            """)
        #expect(result.status == 0 && result.text == "1\n", "\(result)")
    }

    @Test func vtkReadsTheNRRD() {
        let shell = Shell.withVolume()
        guard let python = Self.python(with: "vtk", shell) else { return }
        shell.write(
            "check.py",
            """
            import vtk
            from vtk.util.numpy_support import vtk_to_numpy
            import numpy as np
            for name in ["raw.nrrd", "gzip.nrrd"]:
                reader = vtk.vtkNrrdReader()
                reader.SetFileName(name)
                reader.Update()
                image = reader.GetOutput()
                assert image.GetDimensions() == (64, 64, 64)
                assert np.allclose(image.GetSpacing(), 2 / 64)
                values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(64, 64, 64)
                assert values[32, 32, 32] < 0 < values[0, 0, 0] and values[32, 32, 32] == -values[0, 0, 0]
            """)
        let result = shell.run(
            """
            part='--from 0,0,0 --through 63,63,63'
            ssdf-convert ball.ssdf -o raw.nrrd --uncompressed $part && ssdf-convert ball.ssdf -o gzip.nrrd $part &&
                \(python) check.py
            """)
        #expect(result.status == 0, "\(result)")
    }

    @Test(arguments: [
        (
            "ssdf-convert a.ssdf -o a.xyz",
            "the suffix of a.xyz names no format, expected ssdf, npz, nrrd, vdb, or --format"
        ),
        ("ssdf-convert a.ssdf -o a.nrrd --dtype f16", "--dtype is f16, expected f32 in .nrrd"),
        ("ssdf-convert a.ssdf -o a.npz --dtype i8", "--dtype is i8, expected f32 or f16 in .npz"),
        ("ssdf-convert a.ssdf -o a.ssdf --from 1,2,3", "--from and --through belong together"),
        ("ssdf-convert a.ssdf -o a.ssdf --from 1,2 --through 1,2,3", "the value '1,2' is invalid for '--from <x,y,z>'"),
        ("ssdf-convert a.ssdf --from 1,2,3 --through 1,1,4", "--through lies before --from, expected a box of voxels"),
        ("ssdf-convert a.ssdf -o a.nrrd --layout dense", "--layout belongs to .npz"),
        ("ssdf-convert a.npz --voxel-size 0", "--voxel-size is 0.0, expected a length > 0"),
        ("ssdf-convert a.npz --background inf", "--background is inf, expected a number"),
    ])
    func refuses(command: String, message: String) {
        let shell = Shell()
        let result = shell.run(command)
        #expect(result.status == 64 && result.out.isEmpty)
        #expect(result.err == "ssdf-convert: \(message); see ssdf-convert --help\n")
        #expect(shell.names.isEmpty)
    }

    @Test func saysWhatIsWrong() {
        let shell = Shell.withVolume()
        shell.run(
            "ssdf-convert ball.ssdf -o ball.npz; head -c 3000 ball.npz > cut.npz; echo hello > text.npz; mkdir out")
        for (command, status, message) in [
            (
                "text.npz -o out/a.ssdf", 65,
                "text.npz: no volume of a known format, expected .ssdf, .npz, .nrrd or .vdb"
            ),
            ("cut.npz -o out/a.ssdf", 65, "cut.npz: no zip directory at the end of the file, expected "),
            ("none.npz -o out/a.ssdf", 66, "none.npz: cannot open: "),
            ("ball.npz -o out/a.ssdf --grid other", 65, "ball.npz: no grid \"other\", expected \"sdf\""),
            (
                "ball.npz -o out/a.ssdf --array other", 65,
                "ball.npz: no array \"other\", expected one of \"coordinates\", "
            ),
            ("ball.ssdf -o out/a.ssdf --grid other", 65, "ball.ssdf: no grid \"other\", expected one of \"sdf\""),
            (
                "ball.ssdf -o out/a.npz --layout dense --from 0,0,0 --through 4095,4095,4095 --max-memory 1G", 69,
                "ball.ssdf: grid \"sdf\": a dense array of 4096×4096×4096 voxels takes 344 GB, expected at most "
            ),
            ("ball.ssdf -o no/a.npz", 73, "no/a.npz: cannot create: "),
        ] {
            let result = shell.run("ssdf-convert \(command)")
            #expect(
                result.status == Int32(status) && result.err.hasPrefix("ssdf-convert: \(message)"),
                "\(command): \(result)")
            #expect(result.err.split(separator: "\n").count == 1)
            #expect(shell.run("ls -A out").text.isEmpty, "\(command)")
        }
    }

    // MARK: OpenVDB

    /// The tool as built with the trait OpenVDB: the one under test, or the one that Tests/run builds beside it.
    private static func withOpenVDB(_ shell: Shell) -> String? {
        for tool in ["ssdf-convert", "\(Shell.root)/.build/openvdb/release/ssdf-convert"]
        where shell.run("\(tool) --version -v").text.contains("OpenVDB: 1") { return tool }
        note("no ssdf-convert is built with the trait OpenVDB; .vdb files are not tested")
        return nil
    }

    /// A build without the trait names it, before anything is opened.
    @Test func namesTheTrait() {
        let shell = Shell.withVolume()
        guard shell.run("ssdf-convert --version -v").text.contains("OpenVDB: not built in\n") else { return }
        shell.write("a.vdb", [0x20, 0x42, 0x44, 0x56, 0, 0, 0, 0])
        for command in [
            "ssdf-convert ball.ssdf -o b.vdb", "ssdf-convert a.vdb -o b.ssdf", "ssdf-convert - < a.vdb > /dev/null",
        ] {
            let result = shell.run(command)
            #expect(result.status == 69 && result.err.contains("--traits OpenVDB"), "\(result)")
        }
        #expect(!shell.names.contains { $0.hasPrefix("b.") })
    }

    @Test func vdbGoesThereAndBack() {
        let shell = Shell.withVolume()
        guard let convert = Self.withOpenVDB(shell) else { return }
        let result = shell.run(
            """
            set -e -o pipefail
            \(convert) ball.ssdf -o a.vdb; \(convert) a.vdb -o a.ssdf; cmp ball.ssdf a.ssdf
            \(convert) - --format vdb --uncompressed < ball.ssdf | \(convert) - | cmp - ball.ssdf
            \(convert) ball.ssdf -o b.vdb; cmp a.vdb b.vdb
            \(convert) ball.ssdf -o h.vdb --dtype f16; \(convert) h.vdb -o h1.ssdf --dtype f16
            \(convert) ball.ssdf --dtype f16 | \(convert) - --dtype f16 | cmp - h1.ssdf
            """)
        #expect(result.status == 0 && result.err.isEmpty, "\(result)")
    }

    /// Files that end, and files with a byte changed: each is refused or read, by a process that ends.
    @Test func vdbMayBeBroken() {
        let shell = Shell.withVolume()
        guard let convert = Self.withOpenVDB(shell) else { return }
        let result = shell.run(
            """
            ssdf-convert ball.ssdf -o small.ssdf --from 0,0,0 --through 31,31,31
            \(convert) small.ssdf -o a.vdb
            size=$(stat -c %s a.vdb)
            for n in $(seq 9 $((size / 40)) $((size - 1))); do
                head -c $n a.vdb > cut.vdb; \(convert) cut.vdb -o out.ssdf 2>> errors && echo "cut at $n was read"
                (head -c $n a.vdb; printf '\\377\\377'; tail -c +$((n + 3)) a.vdb) > bad.vdb
                timeout 60 \(convert) bad.vdb -o out.ssdf 2>> errors; code=$?
                [ $code = 0 ] || [ $code = 65 ] || echo "changed at $n: $code"
            done
            """)
        #expect(result.text.isEmpty, "\(result)")
        let errors = String(decoding: shell.read("errors"), as: UTF8.self).split(separator: "\n")
        #expect(
            errors.count >= 40 && errors.allSatisfy { $0.hasPrefix("ssdf-convert: ") && $0.contains(".vdb: ") },
            "\(errors)")
    }

    @Test func openVDBReadsIt() {
        let shell = Shell.withVolume()
        guard let convert = Self.withOpenVDB(shell) else { return }
        shell.run("\(convert) ball.ssdf -o ball.vdb; ssdf-convert ball.ssdf -o ball.npz --layout dense")
        if shell.run("command -v vdb_print").status == 0 {
            let print = shell.run("vdb_print -l ball.vdb")
            #expect(print.status == 0 && print.text.contains("sdf") && print.text.contains("level set"), "\(print)")
        } else {
            Self.note("there is no vdb_print; .vdb files are not listed with it")
        }
        guard let python = Self.python(with: "pyopenvdb", shell) else { return }
        shell.write(
            "check.py",
            """
            import numpy as np, pyopenvdb as vdb
            grid = vdb.read("ball.vdb", "sdf")
            dense = np.load("ball.npz")
            background = float(dense["background"])
            assert abs(grid.background - background) < 1e-7 and grid.gridClass == vdb.GridClass.LEVEL_SET
            assert grid.activeVoxelCount() == dense["active"].sum()
            out = np.zeros(dense["values"].shape, np.float32)
            grid.copyToArray(out, ijk=tuple(int(o) for o in dense["origin"]))
            assert (out == dense["values"]).all()
            m = dense["index_to_world"]
            for index in [(0, 0, 0), (5, 6, 7), (-1, 2, 63)]:
                assert np.allclose(grid.transform.indexToWorld(index), m[:, :3] @ index + m[:, 3], atol=1e-12)
            assert grid.metadata["ssdf_arguments"].startswith("[\\"--resolution=64\\"")
            # What others make: several grids, active tiles, vectors, grids of other types.
            tiles = vdb.FloatGrid(background=2.0); tiles.name = "tiles"
            tiles.fill((0, 0, 0), (15, 15, 15), 1.5); tiles.transform = vdb.createLinearTransform(0.5)
            vectors = vdb.Vec3SGrid(); vectors.name = "v"; vectors.getAccessor().setValueOn((-3, 4, 5), (1, 2, 3))
            doubles = vdb.BoolGrid(); doubles.name = "flags"; doubles.fill((0, 0, 0), (7, 7, 7), True)
            vdb.write("others.vdb", grids=[tiles, vectors, doubles])
            """)
        let check = shell.run("\(python) check.py")
        #expect(check.status == 0, "\(check)")
        let others = shell.run("\(convert) others.vdb -o others.ssdf && ssdf-inspect others.ssdf")
        #expect(others.status == 0 && others.err.contains("grid \"flags\" is left out: it is of bool"), "\(others)")
        for words in ["tiles", "4 096", "3 channels"] {
            #expect(others.text.contains(words), "\(words): \(others.text)")
        }
        #expect(shell.run("\(convert) others.vdb -o v.ssdf --grid v").status == 0)
        #expect(shell.run("\(convert) others.vdb -o f.ssdf --grid flags").status == 65)
    }
}
