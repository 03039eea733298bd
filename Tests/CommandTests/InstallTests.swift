import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Fixtures/install: what it installs, what it takes away again, and what it packs.
@Suite struct InstallTests {
    /// Installs the programs under test; in `dest` of the shell's folder.
    private static let install =
        "DESTDIR=$PWD/dest '\(Shell.root)/Fixtures/install' --prefix /usr --binaries '\(Shell.products)'"

    @Test func installsAndTakesAwayAll() {
        let shell = Shell()
        #expect(shell.run(Self.install).status == 0)
        let listed = shell.run(
            "cd dest/usr && find . ! -name . \\( -type d -printf '%P/\\n' -o -printf '%P\\n' \\) | LC_ALL=C sort")
        #expect(listed.text == shell.run("cat dest/usr/share/ssdf/manifest").text)
        for path in [
            "bin/ssdf", "bin/ssdf-convert", "bin/ssdf-train", "libexec/ssdf/ssdf-import",
            "share/man/man1/ssdf-voxelize.1.gz",
            "share/man/man5/ssdf.5.gz", "share/bash-completion/completions/ssdf-remesh",
            "share/zsh/site-functions/_ssdf",
            "share/fish/vendor_completions.d/ssdf-diffuse.fish", "share/doc/ssdf/examples/asset-build/Makefile",
            "share/doc/ssdf/LICENSE",
        ] { #expect(listed.text.contains("\n\(path)\n"), "\(path)") }
        #expect(!listed.text.contains("bin/ssdf-import") && !listed.text.contains(".new"))
        // Over itself, with the same result; then a file of somebody else's among them.
        let again = shell.run("\(Self.install) && cd dest/usr && find . | LC_ALL=C sort | wc -l")
        #expect(again.text == "\(listed.text.split(separator: "\n").count + 1)\n", "\(again)")
        let removed = shell.run(
            "mkdir -p dest/usr/share/ssdf/models/mine && touch dest/usr/share/ssdf/models/mine/config.yaml && "
                + "\(Self.install) --uninstall && find dest/usr -type f -o -empty")
        #expect(removed.text == "dest/usr/share/ssdf/models/mine/config.yaml\n", "\(removed)")
        shell.run("rm -r dest/usr/share/ssdf/models/mine; \(Self.install); \(Self.install) --uninstall")
        #expect(shell.run("find dest/usr -mindepth 1 ! -path '*/share*'").text.isEmpty)
        let nothing = shell.run("\(Self.install) --uninstall")
        #expect(nothing.status == 66 && nothing.err.hasSuffix("is not there: nothing is installed\n"), "\(nothing)")
    }

    /// What is installed works by itself: each program, the reader of foreign meshes, pages, completions, the examples.
    @Test func worksFromWhereItIs() {
        let shell = Shell()
        shell.run("\(Self.install); cp '\(Shell.root)'/Fixtures/meshes/ball.glb .; mv dest/usr moved")
        let result = shell.run(
            """
            set -e -o pipefail
            run() { env -i PATH="$PWD/moved/bin:/usr/bin:/bin" "$@"; }
            for tool in moved/bin/*; do run ${tool##*/} --version; done
            run ssdf voxelize ball.glb --resolution 64 | run ssdf extract - -o ball.ply
            run ssdf inspect --strict ball.ply > /dev/null
            run ssdf-model info no-such-model 2> missing || true
            cp -r moved/share/doc/ssdf/examples/asset-build . && run make -C asset-build RESOLUTION=32 > /dev/null
            for script in moved/share/bash-completion/completions/*; do bash -n $script; done
            for page in moved/share/man/man?/*; do gzip -t $page; done
            """)
        #expect(result.status == 0, "\(result)")
        #expect(result.text.split(separator: "\n").count == 12, "\(result.text)")
        let missing = String(decoding: shell.read("missing"), as: UTF8.self)
        #expect(missing.contains("\(shell.folder)/moved/bin/../share/ssdf/models"), "\(missing)")
    }

    @Test(arguments: [
        ("--prefix", 64, "--prefix needs a value"), ("--prefix usr", 64, "--prefix is usr, expected an absolute path"),
        ("--bogus", 64, "unknown argument '--bogus'"),
    ])
    func refuses(arguments: String, status: Int32, message: String) {
        let result = Shell().run("'\(Shell.root)/Fixtures/install' \(arguments)")
        #expect(result.status == status && result.err.hasPrefix("install: \(message)"), "\(result)")
    }

    /// A manifest that was tampered with does not make it remove anything elsewhere.
    @Test(arguments: ["../../victim", "/tmp/victim", "share/../../../victim"]) func staysInItsPrefix(path: String) {
        let shell = Shell()
        shell.run("touch victim; mkdir -p dest/usr/share/ssdf; echo '\(path)' > dest/usr/share/ssdf/manifest")
        let result = shell.run("\(Self.install) --uninstall")
        #expect(result.status == 1 && result.err.contains("lies outside the prefix"), "\(result)")
        #expect(shell.names.contains("victim"))
    }

    /// The long form: builds with the Swift runtime linked in, packs, and runs what is packed in a root that has the C
    /// library and nothing else.
    @Test(.enabled(if: getenv("SSDF_LONG_TESTS") != nil)) func theTarballNeedsTheCLibraryAlone() {
        let shell = Shell()
        let packed = shell.run("'\(Shell.root)/Fixtures/install' --tarball ssdf.tar.gz")
        #expect(packed.status == 0, "\(packed)")
        let result = shell.run(
            """
            set -e -o pipefail
            mkdir -p root/proc root/tmp root/bin root/opt root/dev 'root/two places'
            touch root/dev/null
            tar -C root/opt -xf ssdf.tar.gz
            tar -C 'root/two places' -xf ssdf.tar.gz
            for library in $(ldconfig -p | sed -n 's/.*x86-64) => //p' | grep -E '/(libc|libm|ld-linux-x86-64|libdl|libpthread|librt|libresolv|libutil|libtinfo)[.]so[.0-9]*$')
            do cp -L --parents $library root; done
            mkdir -p root/lib64; cp -L /lib64/ld-linux-x86-64.so.2 root/lib64
            cp /bin/bash root/bin
            cp '\(Shell.root)'/Fixtures/meshes/ball.glb '\(Shell.root)'/Fixtures/meshes/knot.ply root/tmp
            cat > root/tmp/try <<'END'
            set -e -o pipefail
            cd /tmp
            for place in /opt '/two places'; do
                bin=$(echo "$place"/*/bin)
                PATH=$bin
                for tool in "$bin"/*; do "${tool##*/}" --version -v; done
                ssdf voxelize knot.ply --resolution 128 | ssdf extract - -o knot.obj
                ssdf remesh knot.obj -o light.glb --keep 0.1
                ssdf inspect --strict knot.obj
                ssdf inspect light.glb ball.glb --render both.png
                ssdf train shapes -o shapes.png --count 4 --resolution 32
                ssdf inspect knot.ply --render picture.png --size 256 --background transparent
                ssdf generate picture.png -o made.ply --preview made.png
                ssdf inspect --strict made.ply
            done
            END
            enter='mount --bind /dev/null root/dev/null && exec chroot root /bin/bash /tmp/try'
            unshare -rmpf --mount-proc=root/proc bash -c "$enter"
            """)
        #expect(result.status == 0, "\(result.text) \(result)")
        // What is loaded by name when it is first wanted was found, too.
        #expect(result.text.contains("OpenBLAS") && result.text.contains("made.ply"), "\(result.text)")
    }
}
