# SPDX-License-Identifier: BSD-2-Clause
"""A Go toolchain for jails: Debian's own golang-1.19-src, cross-compiled.

Go's tests call `go build` for programs of theirs. What that takes is made here: the command and its tools for the jail's
system, the sources of the standard-library packages that those programs are made of, and a build cache with these packages,
compiled on this host. A build in the jail then compiles the program itself and links it."""
import hashlib, os, pathlib, shutil, subprocess, time

go_root = pathlib.Path("/usr/lib/go-1.19")
TOOLS = ["compile", "asm", "link", "buildid", "pprof"]
# What the tests build, and how; in src/runtime/testdata. The programs of testprogcgo need a C compiler in the jail.
PROGRAMS = [("testprog", []), ("testprognet", []), ("testfaketime", ["-tags=faketime"])]
CACHE = "root/.cache/go-build" # where the command looks for it: HOME is /root
SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"} # the same here and in the jail, or the cache is for nothing


def environment(system):
    return os.environ | SETTINGS | {"GOOS": system, "GOARCH": "amd64", "GOTOOLCHAIN": "local"}


def go(system, *arguments, **options):
    """Runs this host's go command for `system`; what it prints."""
    variables = environment(system) | options.pop("variables", {})
    variables["PWD"] = str(options["cwd"]) # Debian's tree is a link, which the command must not see resolved
    return subprocess.run(["go", *map(str, arguments)], check=True, env=variables, stdout=subprocess.PIPE, text=True, **options).stdout


def copy_sources(system, root):
    """The programs of the tests and all packages that they are made of; no tests, which no build reads."""
    directories = {str(go_root / "src/runtime/cgo")} # for a header of it
    for program, flags in PROGRAMS:
        where = go_root / "src/runtime/testdata" / program
        directories |= set(go(system, "list", "-deps", "-f", "{{.Dir}}", *flags, ".", cwd=where).split())
        shutil.copytree(where, root / "src/runtime/testdata" / program)
    for directory in map(pathlib.Path, directories):
        inside = directory.relative_to(go_root)
        for source in directory.iterdir():
            if source.is_file() and not source.name.endswith("_test.go"):
                (root / inside).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, root / inside)
    for name in ("VERSION", "src/go.mod", "src/go.sum", "src/vendor/modules.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(go_root / name, root / name)
    shutil.copytree(go_root / "pkg/include", root / "pkg/include")


def make(system, output):
    """The tree of a jail's root with a toolchain in go/ and its cache: `output`, made anew when this file has changed."""
    made_by, recipe = output.with_suffix(".recipe"), hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
    if made_by.exists() and made_by.read_text() == recipe:
        return output
    part = output.with_suffix(".part")
    for old in (output, part):
        shutil.rmtree(old, ignore_errors=True)
    root = part / "go"
    copy_sources(system, root)
    tools = root / f"pkg/tool/{system}_amd64"
    tools.mkdir(parents=True)
    (root / "bin").mkdir()
    compiler = {"GO111MODULE": "off", "GOPATH": "/nonexistent", "GOCACHE": str(output.parent.parent / "cache")}
    for name in TOOLS:
        go(system, "build", "-ldflags=-s -w", "-o", tools / name, ".", cwd=go_root / "src/cmd" / name, variables=compiler)
    go(system, "build", "-ldflags=-s -w", "-o", root / "bin/go", ".", cwd=go_root / "src/cmd/go", variables=compiler)
    # The cache is filled from the very tree that the jail sees, by this host's compiler, which is the same version.
    (root / "pkg/tool/linux_amd64").symlink_to(go_root / "pkg/tool/linux_amd64")
    cached = {"GOROOT": str(root), "GOCACHE": str(part / CACHE)}
    for program, flags in PROGRAMS:
        go(system, "build", *flags, "-o", part / "program", ".", cwd=root / "src/runtime/testdata" / program, variables=cached)
    (part / "program").unlink()
    packages = go(system, "list", "-deps", "runtime", cwd=root / "src/runtime", variables=cached).split()
    go(system, "install", *packages, cwd=root / "src/runtime", variables=cached) # a test imports them from pkg/
    (root / "pkg/tool/linux_amd64").unlink()
    part.rename(output)
    made_by.write_text(recipe)
    return output


def add(system, output, image):
    """Puts the toolchain that make() keeps in `output` into an image, by links; what the image has already it keeps."""
    def link(source, target):
        if not os.path.exists(target):
            os.link(source, target)
    shutil.copytree(make(system, output), image, copy_function=link, dirs_exist_ok=True)


def refresh(image):
    """Tells the jail's go command that the cache has just been cleared of what is old: else it does so, by the age of files."""
    stamp = image / CACHE / "trim.txt"
    if stamp.parent.exists():
        stamp.unlink(missing_ok=True) # a link: not the one of other images
        stamp.write_text(str(int(time.time())))
