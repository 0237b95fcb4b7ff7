# SPDX-License-Identifier: BSD-2-Clause
"""Wrong files, keys and limits: each one clear line and a status that is not zero."""
import pathlib
import tempfile

from box import IMAGES, ROOT, libelle, refused


def image_with(content):
    directory = tempfile.mkdtemp(prefix="libelle-test-")
    pathlib.Path(directory, "program").write_bytes(content)
    return directory


def program(name="count", os_name="freebsd"):
    return (IMAGES / os_name / "bin" / name).read_bytes()


def test_not_elf():
    refused(libelle("run", image_with(b"#!/bin/sh\necho no\n"), "--", "/program"), "/program", "not an ELF executable")


def test_empty_file():
    refused(libelle("run", image_with(b""), "--", "/program"), "/program", "not an ELF executable")


def test_truncated_elf():
    for size in (20, 64, 100, 5000, 200000):
        refused(libelle("run", image_with(program()[:size]), "--", "/program"), "/program", "truncated ELF")


def test_other_machine():
    elf = bytearray(program())
    elf[18] = 183
    refused(libelle("run", image_with(bytes(elf)), "--", "/program"), "/program", "another machine")


def test_linux_program():
    elf = (ROOT / "build/programs/linux/count").read_bytes()
    refused(libelle("run", image_with(elf), "--", "/program"), "/program", "Linux ABI is not there")


def test_unknown_abi():
    refused(libelle("run", "--abi", "solaris", IMAGES / "freebsd", "--", "/bin/count"), "abi solaris", "no such ABI")


def test_brand_and_abi_disagree():
    refused(libelle("run", "--abi", "dragonfly", IMAGES / "freebsd", "--", "/bin/count"), "/bin/count", "for freebsd")


def test_missing_image():
    refused(libelle("run", "/nowhere/image", "--", "/program"), "/nowhere/image", "does not exist")


def test_missing_command():
    refused(libelle("run", IMAGES / "freebsd", "--", "/bin/nothing"), "/bin/nothing", "not in the image")


def test_memory_too_small():
    refused(libelle("run", "--memory", "4M", IMAGES / "freebsd", "--", "/bin/count"), "memory", "at least 8388608")


def test_memory_is_no_size():
    refused(libelle("run", "--memory", "lots", IMAGES / "freebsd", "--", "/bin/count"), "--memory lots", "not a size")


def config(text):
    path = pathlib.Path(tempfile.mkdtemp(prefix="libelle-conf-"), "BOX.conf")
    path.write_text(text)
    return path


def test_wrong_key():
    refused(libelle("up", config("alpha {\n  colour = red;\n}\n")), "BOX.conf:2", "colour", "unknown key")


def test_wrong_value():
    refused(libelle("up", config("alpha {\n\n  cpus = many;\n}\n")), "BOX.conf:3", "cpus many")


def test_unclosed_block():
    refused(libelle("up", config("alpha {\n  cpus = 1;\n")), "not closed")


def test_missing_config():
    refused(libelle("up", "/nowhere/BOX.conf"), "/nowhere/BOX.conf", "no such file")


def test_help_and_version():
    for arguments in (["--help"], ["run", "--help"], ["up", "--help"], ["--version"]):
        done = libelle(*arguments)
        assert done.returncode == 0 and done.stdout, arguments


def test_unknown_option():
    assert libelle("run", "--colour", "red").returncode == 2
    assert libelle("explode").returncode == 2
